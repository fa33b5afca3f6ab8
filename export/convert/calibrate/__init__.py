"""Ranges of activations, from calibration examples."""
