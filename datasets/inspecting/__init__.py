"""Inspecting images for what is wrong."""
