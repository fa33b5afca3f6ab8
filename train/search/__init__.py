"""The search for hyperparameters, in one process or several."""
