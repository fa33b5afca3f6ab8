"""What outputs are worth: metrics, intervals, limits, and the verdict of each row."""
