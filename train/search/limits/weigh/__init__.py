"""What networks cost before they are trained, and which of them are tried."""
