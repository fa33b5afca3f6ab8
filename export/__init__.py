"""Stage 2: convert, load back, verify, and only then write `<format>.<ext>` + `<format>.json`."""
