"""Exact coordinates along a finished walk: segments in parallel, exports."""
