"""Runs an exported file on its runtime: numpy in, numpy out, one inference per call."""
