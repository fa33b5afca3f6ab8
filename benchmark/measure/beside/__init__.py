"""What stands beside the exports: files of others, and estimates of what cannot be run here."""
