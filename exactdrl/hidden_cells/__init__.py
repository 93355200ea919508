"""Hidden cells: dichotomies of the samples, minima of a cell, valleys, global minima of small networks."""
