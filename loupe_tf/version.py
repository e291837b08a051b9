"""The version of the package, for `setup.cfg` and all reports."""

__version__ = "0.2.0"
