"""Networks of one trained affine layer: the convex case, with long steps."""
