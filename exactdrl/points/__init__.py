"""Room: points. Is a point a local minimum of one layer's loss, or of the loss in all parameters? Proofs for both."""
