"""Operators that TFLite, or its quantizer, lacks, as others that compute the same.

`saved_graph` for those that TFLite has none for, `float_file` for those that the quantizer would
leave in float, `quantized_file` for those that it left so though LiteRT has integer kernels.
"""
