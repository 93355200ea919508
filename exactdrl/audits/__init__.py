"""Judges trajectories of other programs."""
