"""Recurrent layers in `.tflite` files: the fused LSTM, loops, or steps written out."""
