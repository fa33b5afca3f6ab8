"""Recurrent layers in ONNX: one operator for all steps, a loop, or the steps written out."""
