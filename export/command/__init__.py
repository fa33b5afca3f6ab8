"""The command line of `python -m export`: what it asks for, what it prints, what may crash."""
