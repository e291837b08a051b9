"""Slices from a folder of the user's own volumes."""
