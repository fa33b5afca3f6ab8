"""The command line of `python -m export`: its options, and what they ask for."""
