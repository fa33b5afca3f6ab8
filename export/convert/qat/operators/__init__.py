"""The operators of integer files, as LiteRT's kernels round."""
