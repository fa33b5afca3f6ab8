"""Packages of `.tflite` files that this toolkit did not make: C, TFLM, files for NPUs."""
