"""Presets of the experiments, and their command-line options."""
