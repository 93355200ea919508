"""The tree of tangent cells: the proof of minimality where no rule settles it, and its witness."""
