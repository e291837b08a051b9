"""Keras models: the U-Net, and LOUPE with any sampler and reconstructor."""

from loupe_tf.models.loupe import loupe_model
from loupe_tf.models.unet import unet
from loupe_tf.models.with_binarization import with_binarization

__all__ = ["loupe_model", "unet", "with_binarization"]
