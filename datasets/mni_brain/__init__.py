"""Simulated brain images that need no download."""
