"""The decisions that a walk needs, as one small protocol. Its implementations agree on every decision."""
