"""Cells: activation patterns, affine pieces, kink normals, what a flip changes; all in scaled integers."""
