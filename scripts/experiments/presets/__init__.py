"""What may be set: tables of settings, and options of the command line."""
