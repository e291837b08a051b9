"""Slices of the fastMRI data set."""
