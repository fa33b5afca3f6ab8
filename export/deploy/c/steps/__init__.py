"""The steps of the program, by kind of operator."""
