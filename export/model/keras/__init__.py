"""Models of Keras 3 and of tf-keras: read from their files, called with tensors by name."""
