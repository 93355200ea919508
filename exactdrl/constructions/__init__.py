"""Constructions: points that are built, and certified to be what they are."""
