"""Room 9: front doors. Sample problems, loaders for real networks and data."""
