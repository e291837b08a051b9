"""What `loupe-tf reconstruct` does, file by file."""
