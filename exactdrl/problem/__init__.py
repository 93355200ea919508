"""Room 2: the problem. Network, data, trained layer, loss; nothing about algorithms."""
