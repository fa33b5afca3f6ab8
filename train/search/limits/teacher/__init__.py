"""What teaches small networks, and what that gains."""
