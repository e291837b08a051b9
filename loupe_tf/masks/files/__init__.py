"""Masks in files: one format a file."""
