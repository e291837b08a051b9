"""The splits of a data set."""

SPLITS = ("train", "validation", "test")
