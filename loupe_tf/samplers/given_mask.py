import keras

from loupe_tf.layers import FixedMask
from loupe_tf.masks.arguments import standardize_field_of_view
from loupe_tf.samplers.sampler import Sampler


@keras.saving.register_keras_serializable(package="loupe_tf")
class GivenMask(Sampler):
    """A given mask, the same for all examples: nothing is learned.

    Args:
        mask: Boolean array or `SamplingMask` of shape `(H, W)`, `(1, W)` or
            `(H, 1)`, with DC at `(H // 2, W // 2)`; see
            `loupe_tf.layers.FixedMask`.
        field_of_view: (Optional) size `(H, W)` of the images in mm. Defaults
            to that of the mask, if it has one.
        half_plane: (Optional) boolean, whether a reconstructor has to fill in
            the mirror of each sample. Defaults to whether the mask is known to
            be learned so.
    """

    def __init__(self, mask, field_of_view=None, half_plane=None):
        # The layer does not judge a mask of strings again.
        self.mask = FixedMask(mask).get_config()["mask"]
        if field_of_view is None:
            field_of_view = getattr(mask, "field_of_view", None)
        self.field_of_view = standardize_field_of_view(field_of_view)
        if half_plane is None:
            facts = getattr(mask, "provenance", {})
            half_plane = facts.get("half_plane", False)
        self.half_plane = bool(half_plane)

    def __call__(self, reference):
        return FixedMask(self.mask, name="sampled_mask")(reference)

    def get_config(self):
        return {
            "mask": self.mask,
            "field_of_view": self.field_of_view,
            "half_plane": self.half_plane,
        }
