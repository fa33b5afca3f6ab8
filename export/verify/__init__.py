"""Proves a converted file right before it gets its name."""
