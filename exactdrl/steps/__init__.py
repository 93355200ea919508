"""Steps of a walk as values, and the search for the first vertex."""
