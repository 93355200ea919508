"""The convex case, in which the last, affine layer is trained, and its walk with long steps."""
