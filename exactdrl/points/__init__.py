"""Points: verdicts on whether a point is a local minimum of one layer's loss, or of the loss in all parameters."""
