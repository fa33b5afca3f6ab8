"""`make arm`: every export on an emulated ARM machine, its outputs beside those made here."""
