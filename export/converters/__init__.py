"""One module a converter family; each has `convert(entry, source) -> bytes`. Heavy."""
