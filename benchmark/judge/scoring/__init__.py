"""How good an output is, beside the Keras model's, and what it loses."""
