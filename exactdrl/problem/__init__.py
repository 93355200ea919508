"""The problem: network, data, loss and what is trained. Nothing here is about algorithms."""
