"""Rules that decide a point's minimality, or parts of it, in polynomial time."""
