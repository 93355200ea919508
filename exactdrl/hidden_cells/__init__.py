"""Hidden cells: dichotomies of the samples, what minima a cell has, valleys, and the global minimum of small networks."""
