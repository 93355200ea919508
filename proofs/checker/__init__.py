"""The stand-alone checker, in files that each fit a sitting; proofs/check.py runs it. To be read in this order.

reading  bytes, JSON, numbers and shapes; the only ways to refuse
exact    vectors, echelon forms, numbers that depend on t
instance the instance file, and the network on its samples
form     the local form at a point, and the trees that prove a local minimum
batch    signs of many kinks at once
problem  what it says of kinks, cells and the loss
ranges   what the outputs' ranges and curvature say of the loss
claims   claims about a finished walk
walks    the certificate of a walk: vertices, steps, outcome
points   verdicts on points, spurious minima and valleys
cells    claims about cells and global minima
"""
