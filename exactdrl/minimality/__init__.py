"""Minimality: verdicts on whether a point is a local minimum, each with its proof, or undecided with the reason."""
