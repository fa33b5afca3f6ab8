"""Files that this toolkit did not make: looked at before they are run, matched, made packages."""
