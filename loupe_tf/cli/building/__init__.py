"""What `loupe-tf build` does: its options, and the builder they make."""
