"""Conversion: one module for each family of converters.

Each family has `convert(entry, settings, method, source) -> bytes`.
"""
