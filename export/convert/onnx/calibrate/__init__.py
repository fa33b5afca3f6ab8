"""Ranges, channels and biases of ONNX models, by calibration examples."""
