"""Which export to take, and why one is slow or large."""
