"""Training in the two rounds of the 4S paper; the entry point is `fit`."""
