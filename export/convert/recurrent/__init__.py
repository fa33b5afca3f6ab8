"""Recurrent layers: what they compute, and how they are called."""
