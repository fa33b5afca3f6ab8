"""Quantization-aware training of an integer `.tflite` file: simulated, trained, written again.

What is trained is the network as it was converted, with its merged operators, its ranges and its
weights in integers (Jacob et al. 2018, https://arxiv.org/abs/1712.05877; Krishnamoorthi 2018,
https://arxiv.org/abs/1806.08342), so that whatever can be converted can be trained, and what is
trained is what the file does.
"""
