"""Recurrent layers in every format, at several numbers of steps."""
