"""How networks are described, and fitted."""
