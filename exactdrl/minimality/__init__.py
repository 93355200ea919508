"""Minimality. Is a point a local minimum? A verdict with its reason, or undecided; never a guess."""
