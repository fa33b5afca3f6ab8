"""Exports made ready for a device: bundles, C sources for microcontrollers."""
