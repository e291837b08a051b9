"""What `loupe-tf train` does: its options, models, rounds and report."""
