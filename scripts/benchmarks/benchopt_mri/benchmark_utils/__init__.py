"""What the objective and the solvers share."""
