"""ONNX files: tf2onnx, a canonical form of what it gives, and ONNX Runtime's quantizers."""
