"""The doors: sample problems, and loaders for real networks and data."""
