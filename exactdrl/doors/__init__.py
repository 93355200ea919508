"""Front doors. Sample problems, loaders for real networks and data."""
