"""Training in the two rounds of the 4S paper; `fit` is how it is called."""
