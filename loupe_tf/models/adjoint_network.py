import keras
from keras import ops

from loupe_tf import layers
from loupe_tf.checks import check_choice, invalid

RECONSTRUCTIONS = ("magnitude", "complex", "direct")


@keras.saving.register_keras_serializable(package="loupe_tf")
class AdjointNetwork(keras.Model):
    """Rebuild an image from k-space with a network on the adjoint image.

    This is the reconstructor of LOUPE (equation 2 of the 4S paper, Martinini
    et al., BioCAS 2022). A is the forward operator of
    `loupe_tf.operators.Cartesian` and D the network:

    - `"magnitude"`: `x̂ = |Aᴴy| + D(Aᴴy)`.
    - `"complex"`: `x̂ = Aᴴy + D(Aᴴy)`.
    - `"direct"`: `x̂ = D(Aᴴy)`.

    The same model serves one coil, several coils with their maps, and any
    mask.

    Args:
        network: A Keras layer or model D from `(batch, H, W, 2)`, or
            `(batch, D, H, W, 2)` for volumes, to one channel (magnitude) or
            two (complex). `None` returns the adjoint image.
        reconstruction: String, one of the three above.
        data_consistency: Boolean. If `True`, the acquired samples are put back
            into the k-space of each coil's image; see `DataConsistency`. If
            the squared magnitudes of the maps sum to 1, this is the step
            `x - Aᴴ(A x - y)` towards the data.
        half_plane: Boolean. If `True`, k-space and mask are first filled from
            their mirror; see `FillMirror`. Only for one coil and images
            without phase.
        magnitude: Boolean. If `True`, the model returns the magnitude of a
            complex image.

    Inputs:
        `[kspace, mask]` for one coil, or `[kspace, mask, maps]`, with DC at
        `(H // 2, W // 2)`. The k-space `(batch, coils, H, W, 2)` is orthonormal
        and zero where nothing was acquired. The mask is
        `(1 or batch, H or 1, W or 1, 1)`, and the maps are
        `(1 or batch, coils, H, W, 2)`. For volumes, k-space and maps have the
        read-out axis D before H.

    Output shape:
        `(batch, H, W, 1)`, or `(batch, H, W, 2)` for complex images; float32.

    Example:

    ```python
    network = loupe_tf.models.unet((320, 320, 2))
    reconstructor = loupe_tf.models.AdjointNetwork(network)
    image = reconstructor([kspace, mask])
    ```
    """

    def __init__(
        self,
        network=None,
        reconstruction="magnitude",
        data_consistency=False,
        half_plane=False,
        magnitude=False,
        **kwargs,
    ):
        super().__init__(**{"dtype": "float32", **kwargs})
        check_choice("reconstruction", reconstruction, RECONSTRUCTIONS)
        if network is None and reconstruction == "direct":
            raise invalid(
                "network", "a network for reconstruction='direct'", network
            )
        self.network = network
        self.reconstruction = reconstruction
        self.data_consistency = data_consistency
        self.half_plane = half_plane
        self.magnitude = magnitude
        self.fill_mirror = layers.FillMirror() if half_plane else None
        self.inverse = layers.IFFT()
        self.combine = layers.CombineCoils()
        self.modulus = layers.ComplexAbs()
        if data_consistency:
            self.to_complex = layers.ConcatenateZero()
            self.expand = layers.ExpandCoils()
            self.consistency = layers.DataConsistency()

    def build(self, input_shape):
        """Do nothing: only the network has state, and its first call builds it.

        Keras would otherwise build layers that this configuration does not use.
        """

    def call(self, inputs):
        kspace, mask, *maps = inputs
        if kspace.shape[1] not in (1, None) and not maps:
            raise invalid(
                "maps",
                "sensitivity maps of several coils, as a third input",
                found=f"{kspace.shape[1]} coils without maps",
            )
        self._check_shape(tuple(kspace.shape))
        if self.half_plane:
            kspace, mask = self.fill_mirror([kspace, mask])
        adjoint = self.adjoint(kspace, mask, *maps)
        image = adjoint
        if self.reconstruction == "magnitude":
            image = self.modulus(adjoint)
        if self.network is not None:
            correction = ops.cast(self.network(adjoint), "float32")
            is_all = self.reconstruction == "direct"
            image = correction if is_all else image + correction
        if self.data_consistency:
            if image.shape[-1] == 1:
                image = self.to_complex(image)
            images = self.expand([image, *maps])
            image = self.combine(
                [self.consistency([images, kspace, mask]), *maps]
            )
        if self.magnitude and image.shape[-1] == 2:
            image = self.modulus(image)
        return image

    def adjoint(self, kspace, mask, *maps):
        """Return the adjoint image, `(batch, ..., H, W, 2)`."""
        return self.combine([self.inverse(kspace), *maps])

    def get_config(self):
        network = self.network
        return {
            "name": self.name,
            "trainable": self.trainable,
            "network": network and keras.saving.serialize_keras_object(network),
            "reconstruction": self.reconstruction,
            "data_consistency": self.data_consistency,
            "half_plane": self.half_plane,
            "magnitude": self.magnitude,
        }

    @classmethod
    def from_config(cls, config):
        network = keras.saving.deserialize_keras_object(config["network"])
        return cls(**{**config, "network": network})

    def _check_shape(self, kspace):
        """Refuse k-space that does not fit the network or the half-plane."""
        if self.half_plane and kspace[1] not in (1, None):
            raise invalid(
                "kspace",
                "one coil, without phase, for a model of a half-plane",
                found=f"{kspace[1]} coils",
            )
        # A network that is not functional checks its input itself.
        expected = getattr(self.network, "inputs", None)
        expected = expected and tuple(expected[0].shape[1:-1])
        found = kspace[2:-1]
        if expected and (
            len(expected) != len(found)
            or any(n not in (None, m) for n, m in zip(expected, found))
        ):
            raise invalid(
                "kspace",
                f"the matrix size {expected} of the network",
                found=f"k-space {kspace} of (batch, coils, "
                f"{'D, ' * (len(found) == 3)}H, W, 2)",
            )
