class Sampler:
    """What says which samples of k-space are acquired: base of all samplers.

    A sampler makes layers, and a model is made of what they return:

    ```python
    kspace = keras.Input((1, 320, 320, 2))
    inputs = sampler.inputs((320, 320))
    mask = sampler(kspace, *inputs)
    ```

    A sampler of your own implements `__call__` and `get_config`, and is
    registered with `keras.saving.register_keras_serializable`, so that Keras
    can store it: `keras.saving.serialize_keras_object(sampler)`.

    Attributes:
        half_plane: Boolean. Whether the mask is one of a half-plane, so that
            the other half is to be filled with its mirror.
        field_of_view: Size `(H, W)` of the images in mm that the mask was made
            for, or `None`.
    """

    half_plane = False
    field_of_view = None

    def inputs(self, size):
        """Make the inputs that the model has beside images or k-space.

        Args:
            size: Pair `(H, W)`, the size of k-space.

        Returns:
            List of the `keras.Input`s that `__call__` takes; often empty.
        """
        return []

    def __call__(self, reference, *inputs):
        """Make the mask.

        Args:
            reference: Keras tensor `(batch, ..., H, W, C)`: its shape and the
                size of its batch are all that is read.
            *inputs: What `inputs` has made.

        Returns:
            Keras tensor, the mask: `(1 or batch, H or 1, W or 1, 1)`, float32,
            DC at `(H // 2, W // 2)`. The layer that makes it is called
            `sampled_mask`, wherever a layer makes it.
        """
        raise NotImplementedError

    def get_config(self):
        """Return the arguments of an equal sampler, as Keras stores them."""
        return {}

    @classmethod
    def from_config(cls, config):
        """Make a sampler of what `get_config` has returned."""
        return cls(**config)
