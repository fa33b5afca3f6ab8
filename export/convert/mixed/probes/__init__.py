"""The operators of an integer file, and what each does to held-out examples."""
