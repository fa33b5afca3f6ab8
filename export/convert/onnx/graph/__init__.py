"""Graphs of ONNX models: one form for whatever order they come in, and what is folded in them."""
