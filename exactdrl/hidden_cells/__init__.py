"""Hidden cells: the patterns of a unit on the samples, minima of a cell, valleys, global minima of small networks."""
