"""A process of its own for each variant: it loads one file and answers requests about it."""
