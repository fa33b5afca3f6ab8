"""Reading files that may be anything, and writing those of the artifacts folder."""
