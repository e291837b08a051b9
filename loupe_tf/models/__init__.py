"""Keras models: networks, and LOUPE with any sampler and reconstructor."""

from loupe_tf.models.encoder_decoder import encoder_decoder
from loupe_tf.models.fastmri_unet import fastmri_unet
from loupe_tf.models.loupe import loupe_model
from loupe_tf.models.unet import unet
from loupe_tf.models.with_binarization import with_binarization
from loupe_tf.on_import import register

__all__ = [
    "encoder_decoder",
    "fastmri_unet",
    "loupe_model",
    "unet",
    "with_binarization",
]

register(at_end_of="models")  # Where Keras came with this package.
