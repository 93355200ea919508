"""Exact numbers and exact linear algebra. This package knows nothing of networks."""
