"""Files of other toolboxes, and masks in them."""

from loupe_tf.formats.cfl import read_cfl, write_cfl
from loupe_tf.formats.mask_files import load_mask, save_mask
from loupe_tf.formats.mask_pulseq import pulseq_sequence

__all__ = [
    "load_mask",
    "pulseq_sequence",
    "read_cfl",
    "save_mask",
    "write_cfl",
]
