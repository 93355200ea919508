"""Exact numbers and exact linear algebra. Knows nothing of networks."""
