"""Feeding prepared images to a network."""
