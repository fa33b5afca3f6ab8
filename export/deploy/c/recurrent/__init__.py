"""Recurrent layers of an integer file: loops, the fused LSTM, operators of 16 bits."""
