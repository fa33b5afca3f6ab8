"""Layers with weights: what their channels are, and how the weights are stored."""
