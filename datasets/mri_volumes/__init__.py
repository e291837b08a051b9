"""Slices of a folder of the user's own volumes."""
