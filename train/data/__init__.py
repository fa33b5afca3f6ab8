"""The reference data set: where it is found, how it is split, how training sees it."""
