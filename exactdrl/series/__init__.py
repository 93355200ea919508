"""Exact coordinates and losses along a finished walk: segments in parallel processes, and exports."""
