import keras

from loupe_tf.samplers.sampler import Sampler


@keras.saving.register_keras_serializable(package="loupe_tf")
class MaskInput(Sampler):
    """A mask for each example, given as an additional input.

    The input is `mask_input`, `(batch, H, W, 1)`, float32, 0 or 1, with DC at
    `(H // 2, W // 2)`.
    """

    def inputs(self, size):
        return [keras.Input((*size, 1), dtype="float32", name="mask_input")]

    def __call__(self, reference, mask):
        return mask
