"""The audit: exact judgements on the trajectories of points that other programs computed in floats."""
