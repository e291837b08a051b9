"""From volumes to records."""
