"""File formats of trajectories, with one module for each format."""
