"""From limits to a network: what fits, what it reaches, the best that does."""
