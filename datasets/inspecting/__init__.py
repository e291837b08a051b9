"""Look for data crimes."""
