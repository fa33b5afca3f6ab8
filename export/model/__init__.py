"""Whatever Keras model a user has, loaded safely as a function of named tensors."""
