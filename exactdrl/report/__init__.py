"""What people read and look at: figures, the page about a walk, and the words for results."""
