"""Functions that the objective and the solvers share."""
