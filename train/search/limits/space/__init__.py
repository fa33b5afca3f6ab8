"""The networks to choose from: ours, or a function of the user's."""
