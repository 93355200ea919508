"""Figures and the page about a walk."""
