"""Room 1: exact numbers and exact linear algebra. Knows nothing of networks."""
