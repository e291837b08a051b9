class Sampler:
    """Base of all samplers, which choose the k-space samples to acquire.

    A sampler makes the inputs and the layers of a model that give the mask:

    ```python
    kspace = keras.Input((1, 320, 320, 2))
    inputs = sampler.inputs((320, 320))
    mask = sampler(kspace, *inputs)
    ```

    Your own sampler must implement `__call__` and `get_config`. Register it
    with `keras.saving.register_keras_serializable`, so that Keras can store it
    with `keras.saving.serialize_keras_object(sampler)`.

    Attributes:
        half_plane: Boolean. Whether the mask covers a half-plane, so that the
            other half must be filled with its mirror.
        curves: Boolean. Whether the sampler makes a trajectory, the positions
            of samples along curves, instead of a mask.
        field_of_view: Size `(H, W)` in mm of the images that the mask was made
            for, or `None`.
    """

    half_plane = False
    curves = False
    field_of_view = None

    def inputs(self, size):
        """Make the inputs that the model needs besides images or k-space.

        Args:
            size: Pair `(H, W)`, the size of k-space.

        Returns:
            List of `keras.Input`s, the `inputs` of `__call__`; often empty.
        """
        return []

    def __call__(self, reference, *inputs):
        """Make the mask, or the positions of the samples.

        Args:
            reference: Keras tensor `(batch, ..., H, W, C)`. Only its shape is
                read, batch size included.
            *inputs: The tensors made by `inputs`.

        Returns:
            Keras tensor, the mask: `(1 or batch, H or 1, W or 1, 1)`, float32,
            with DC at `(H // 2, W // 2)`. If a layer makes the mask, its name
            is `sampled_mask`. With `curves`, the positions instead:
            `(1 or batch, shots, samples, 2)`, (along H, along W), float32, in
            cycles per pixel. If a layer makes them, its name is
            `sampled_trajectory`.
        """
        raise NotImplementedError

    def get_config(self):
        """Return the arguments of the sampler, for Keras to store."""
        return {}

    @classmethod
    def from_config(cls, config):
        """Make a sampler from the dictionary of `get_config`."""
        return cls(**config)
