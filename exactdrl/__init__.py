"""exactdrl."""
