"""The formats, what is made of them, and their names."""
