"""Searches for directions of descent. They prove nothing; what they find is evaluated exactly."""
