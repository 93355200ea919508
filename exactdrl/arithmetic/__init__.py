"""The decisions that a walk needs, as one small protocol; its implementations agree on every decision."""
