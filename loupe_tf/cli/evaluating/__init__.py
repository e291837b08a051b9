"""What `loupe-tf evaluate` does: the grid, its rows, and the report."""
