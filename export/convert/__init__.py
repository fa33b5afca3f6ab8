"""One module a converter family. Heavy.

Each family has `convert(entry, settings, method, source) -> bytes`.
"""
