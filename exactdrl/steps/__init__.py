"""What a step of a walk is, and the first vertex."""
