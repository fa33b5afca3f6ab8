"""Small versions of known architectures, trained on Fashion-MNIST: what quantization costs them."""
