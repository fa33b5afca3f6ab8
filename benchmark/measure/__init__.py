"""Runs each variant in worker processes of its own: outputs, latency, memory, operators."""
