"""Cells. Activation patterns, affine pieces, kink normals, what a flip changes; all in scaled integers."""
