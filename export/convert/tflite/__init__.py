"""TFLite files: the converter, the quantizers, and what is done to the file and before it."""
