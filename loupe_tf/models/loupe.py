import keras
from keras import ops

from loupe_tf import layers
from loupe_tf.checks import invalid
from loupe_tf.masks import calibration_region
from loupe_tf.models.training_data import (
    check_choices,
    check_training_data,
    refuse_complex,
    warn_of_scale,
)


@keras.saving.register_keras_serializable(package="loupe_tf")
class Loupe(keras.Model):
    """A sampler, the forward operator and a reconstructor, trained together.

    The model computes

        y = M ∘ F(x),    x̂ = R(y, M)

    with M the mask of the sampler, F the orthonormal centred Fourier transform
    and R the reconstructor. Several coils with k-space k and maps S have
    `yᵢ = M ∘ kᵢ` and `x̂ = R(y, M, S)`. Only the measurement passes from the
    sampler to the reconstructor, so `model.reconstructor` can rebuild the
    measurements of a scanner by itself.

    A sampler of curves, such as `GivenTrajectory`, has a trajectory k in the
    place of M: `y = F_k(x)` are the samples along it, `yᵢ = F_k(F⁻¹ kᵢ)` for
    several coils, and `x̂ = R(y, k)` or `x̂ = R(y, k, S)`.

    Args:
        input_shape: As for `loupe_model`.
        sampler: A `loupe_tf.samplers.Sampler`.
        reconstructor: A Keras layer or model from `[kspace, mask]`, or
            `[kspace, mask, maps]` with coils, to the image; see
            `AdjointNetwork`. Without coils, a functional model of three inputs
            gets maps of ones. Alternatively a function that makes such a layer
            or model from the list of Keras tensors it will be called with.
            With coils, maps are no input of the model if the reconstructor's
            `needs_maps` is `False`.
        coils, snr, field_of_view, seed, name, magnitude, peak_snr: As for
            `loupe_model`.

    Attributes:
        sampler: The given sampler.
        reconstructor: The reconstructor, trained with the model.
        mask: Keras tensor `(1 or batch, H or 1, W or 1, 1)`, the mask; or
            `(1 or batch, shots, samples, 2)`, the trajectory.
        measured: List of Keras tensors, the inputs of the reconstructor:
            k-space, mask and, with coils, maps; or samples, trajectory and
            maps.
        coils: The given argument.
        settings: Dict of the other arguments, except `name`.
    """

    def __init__(
        self,
        input_shape,
        sampler,
        reconstructor,
        coils=None,
        snr=None,
        field_of_view=None,
        seed=None,
        name="loupe",
        magnitude=None,
        peak_snr=None,
    ):
        input_shape = tuple(input_shape)
        if magnitude is None:
            magnitude = input_shape[-1] == 1
        shapes = {"input": input_shape}
        if coils is not None:
            number = None if coils == "any" else coils
            shapes = {"kspace": (number, *input_shape[:-1], 2)}
            if getattr(reconstructor, "needs_maps", True):
                shapes["maps"] = shapes["kspace"]
        x, *maps = inputs = [
            keras.Input(shape, dtype="float32", name=key)
            for key, shape in shapes.items()
        ]
        choices = sampler.inputs(tuple(input_shape[-3:-1]))
        mask = sampler(x, *choices)

        # The forward operator. In volumes, F transforms only H and W: the mask
        # does not vary along D, where the inverse would undo the transform.
        if coils is None and input_shape[-1] == 1:
            x = layers.ConcatenateZero(name="concat_zero")(x)
        noise = None
        if snr is not None or peak_snr is not None:
            # Samplers take up to four seeds, from `seed` on.
            noise_seed = None if seed is None else seed + 4
            noise = layers.ReceiverNoise(
                snr, noise_seed, peak_snr, name="receiver_noise"
            )
        if sampler.curves:
            x = (
                layers.ExpandCoils(name="expand_coils")(x)
                if coils is None
                else layers.IFFT(name="ifft")(x)
            )
            kspace = layers.SampleTrajectory(name="sample_kspace")([x, mask])
            if noise:
                kspace = noise([kspace, x])
        else:
            if coils is None:
                x = layers.FFT(name="fft")(x)
                x = layers.ExpandCoils(name="expand_coils")(x)
            if noise:
                x = noise(x)
            kspace = x = layers.UnderSample(
                field_of_view=field_of_view, name="under_sample_kspace"
            )([x, mask])

        measured = [kspace, mask, *maps]
        if not isinstance(reconstructor, keras.layers.Layer):
            reconstructor = reconstructor(measured)
        wanted = getattr(reconstructor, "inputs", None) or measured
        if len(wanted) > len(measured):
            one, zero = ops.ones_like(x), ops.zeros_like(x)
            parts = [one[..., :1], zero[..., :1]]
            measured.append(ops.concatenate(parts, axis=-1))
        image = reconstructor(measured)
        _check_image(image.shape, input_shape)
        if image.shape[-1] == 2 and magnitude:
            image = layers.ComplexAbs(name="magnitude")(image)
        inputs = [*inputs, *choices]
        super().__init__(
            inputs=inputs if len(inputs) > 1 else inputs[0],
            outputs=image,
            name=name,
        )
        self.sampler = sampler
        self.reconstructor = reconstructor
        self._check_calibration(input_shape[-3:-1])
        self.mask = mask
        self.measured = measured
        self.coils = coils
        self.settings = {
            "input_shape": input_shape,
            "coils": coils,
            "snr": snr,
            "field_of_view": field_of_view,
            "seed": seed,
            "magnitude": magnitude,
            "peak_snr": peak_snr,
        }

    def with_layers(self, clone, sampler):
        """Return the same model with some layers replaced.

        Args:
            clone: Function from a layer of this model to the one in its place,
                or to the layer itself, which both models then share.
            sampler: The `Sampler` that makes such layers, for saving.

        Returns:
            A `Loupe` that is not compiled.
        """
        parts = keras.Model(
            self.inputs, [*self.outputs, self.mask, *self.measured]
        )
        parts = keras.models.clone_model(parts, clone_function=clone)
        image, mask, *measured = parts.outputs
        inputs = parts.inputs if len(parts.inputs) > 1 else parts.inputs[0]
        twin = type(self).__new__(type(self))
        super(Loupe, twin).__init__(
            inputs=inputs, outputs=image, name=self.name
        )
        twin.sampler, twin.reconstructor = sampler, self.reconstructor
        twin.mask, twin.measured = mask, measured
        twin.coils, twin.settings = self.coils, self.settings
        return twin

    def _check_calibration(self, size):
        """Refuse a mask without the region that maps are estimated from."""
        maps = getattr(self.reconstructor, "sensitivities", None)
        layers_ = {layer.name: layer for layer in self.layers}
        layer = layers_.get("sampled_mask")
        if not hasattr(maps, "check_acquired") or layer is None:
            return
        acquired = getattr(layer, "mask", None)
        if acquired is None:
            shape = tuple(layer.output.shape[1:-1])
            region = getattr(layer, "calibration", None)
            acquired = calibration_region(shape, region)
        maps.check_acquired(acquired, tuple(size), "calibration")

    def fit(self, x=None, y=None, *args, **kwargs):
        """Train the model, as `keras.Model.fit` does.

        Data that would train silently, to no use, are refused: complex arrays,
        whose imaginary part Keras drops, images of other channels than the
        model's, no targets, targets of another shape than the output, NaN and
        infinite values. In a `tf.data.Dataset`, this goes for all but values.
        Images of another scale than `[0, 1]` give a warning.
        """
        check_training_data(self, x, y)
        held_out = kwargs.get("validation_data")
        if held_out is not None:
            pair = isinstance(held_out, (tuple, list))
            parts = held_out[:2] if pair else [held_out]
            check_training_data(self, *parts, name="validation_data")
        warn_of_scale(y)
        return super().fit(x, y, *args, **kwargs)

    def evaluate(self, x=None, y=None, *args, **kwargs):
        """Judge the model, as `keras.Model.evaluate` does; see `fit`."""
        refuse_complex("x", x)
        refuse_complex("y", y)
        check_choices("x", x, self)
        return super().evaluate(x, y, *args, **kwargs)

    def predict(self, x, *args, **kwargs):
        """Rebuild images, as `keras.Model.predict` does; see `fit`."""
        refuse_complex("x", x)
        check_choices("x", x, self)
        return super().predict(x, *args, **kwargs)

    def get_config(self):
        serialize = keras.saving.serialize_keras_object
        return {
            **self.settings,
            "sampler": serialize(self.sampler),
            "reconstructor": serialize(self.reconstructor),
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config):
        parts = {
            key: keras.saving.deserialize_keras_object(config[key])
            for key in ("sampler", "reconstructor")
        }
        return cls(**{**config, **parts})


def _check_image(shape, input_shape):
    """Refuse the output of a reconstructor that is no image of the input."""
    size, expected = shape[1:-1], input_shape[:-1]
    same = len(size) == len(expected) and all(
        n is None or m is None or n == m for n, m in zip(size, expected)
    )
    if not same or shape[-1] not in (1, 2):
        wanted = ", ".join(map(str, expected))
        raise invalid(
            "reconstructor",
            f"an image (batch, {wanted}, 1) or, real and imaginary part, "
            f"(batch, {wanted}, 2)",
            found=f"an output of shape {tuple(shape)}",
        )
