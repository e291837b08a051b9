"""File formats of masks, with one module for each format."""
