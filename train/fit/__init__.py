"""Fitting a network with given hyperparameters, and the final evaluation."""
