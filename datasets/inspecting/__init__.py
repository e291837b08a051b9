"""Looking for data crimes."""
