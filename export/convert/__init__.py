"""One module a converter family.

Each family has `convert(entry, settings, method, source) -> bytes`.
"""
