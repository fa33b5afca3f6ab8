"""Results files: written, read, compared, merged."""
