"""The problem. Network, data, trained layer, loss; nothing about algorithms."""
