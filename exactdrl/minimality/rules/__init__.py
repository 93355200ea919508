"""Rules that settle a point's minimality, or parts of it, in polynomial time."""
