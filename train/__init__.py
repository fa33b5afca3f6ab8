"""Stage 1: data set, tuning, fitting; writes `model.keras`, `model.json`, `model.outputs.npz`."""
