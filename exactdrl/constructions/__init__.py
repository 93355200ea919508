"""Constructions: points that are built, with proofs of what they are."""
