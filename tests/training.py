"""Full-batch gradient descent of a ReLU network without biases in float32, as the published experiments have it."""

import numpy as np


def train(inputs, targets, *, width, deviation, rate, steps, seed):
    """The trained weights (W, H): mean of squares over samples and outputs, normal start with this deviation."""
    kind, numbers = np.float32, np.random.default_rng(seed)
    x, y = np.array(inputs, kind), np.array(targets, kind)
    w = numbers.normal(0, deviation, (width, x.shape[1])).astype(kind)
    h = numbers.normal(0, deviation, (y.shape[1], width)).astype(kind)
    step, columns, goals = kind(2 * rate / y.size), np.ascontiguousarray(x.T), np.ascontiguousarray(y.T)
    for _ in range(steps):
        z = w @ columns
        a = np.maximum(z, 0)
        r = h @ a - goals
        moved = ((h.T @ r) * (z > 0)) @ x
        h -= step * (r @ a.T)
        w -= step * moved
    return w, h
