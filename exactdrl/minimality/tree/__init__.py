"""The tree of tangent cells: the proof of minimality where no rule decides it, and its witness."""
