"""Ranges, channels and biases of TFLite models, by calibration examples."""
