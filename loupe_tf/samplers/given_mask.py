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
    """

    def __init__(self, mask, field_of_view=None):
        # The layer does not judge a mask of strings again.
        self.mask = FixedMask(mask).get_config()["mask"]
        if field_of_view is None:
            field_of_view = getattr(mask, "field_of_view", None)
        self.field_of_view = standardize_field_of_view(field_of_view)

    def __call__(self, reference):
        return FixedMask(self.mask, name="sampled_mask")(reference)

    def get_config(self):
        return {"mask": self.mask, "field_of_view": self.field_of_view}
