"""Files of other toolboxes."""

from loupe_tf.formats.cfl import read_cfl, write_cfl

__all__ = ["read_cfl", "write_cfl"]
