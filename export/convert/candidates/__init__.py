"""The ways in which a format can be made of a model, tried on held-out examples."""
