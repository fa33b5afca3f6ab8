"""What the three commands share at the edge: options, exit codes, interrupts, what is printed."""
