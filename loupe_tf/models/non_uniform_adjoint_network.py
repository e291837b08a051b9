import keras

from loupe_tf.checks import invalid
from loupe_tf.models.adjoint_network import AdjointNetwork
from loupe_tf.models.curves import Curves


@keras.saving.register_keras_serializable(package="loupe_tf")
class NonUniformAdjointNetwork(AdjointNetwork):
    """Rebuild an image from the samples of curves with one network.

    This is `AdjointNetwork` for non-Cartesian scans. The network N sees the
    adjoint image `Aᴴ D y`, with the weights D of `density_compensation`, and
    corrects it:

    - `"magnitude"`: `x̂ = |Aᴴ D y| + N(Aᴴ D y)`.
    - `"complex"`: `x̂ = Aᴴ D y + N(Aᴴ D y)`.
    - `"direct"`: `x̂ = N(Aᴴ D y)`.

    The adjoint image has another scale than the image, up to about a factor of
    two, which N can correct.

    Args:
        size: Tuple `(H, W)`, size of the image.
        network: Keras layer or model N from `(batch, H, W, 2)` to one channel
            (magnitude) or two (complex). `None` returns the adjoint image.
        reconstruction: String, one of the three above.
        magnitude: Boolean. If `True`, the model returns the magnitude of a
            complex image.
        density_compensation, trajectory, accuracy: As for `NCPDNet`.

    Inputs:
        As for `NCPDNet`.

    Output shape:
        `(batch, H, W, 1)`, or `(batch, H, W, 2)` for complex images; float32.

    Example:

    ```python
    reconstructor = loupe_tf.models.NonUniformAdjointNetwork(
        (320, 320), loupe_tf.models.unet((320, 320, 2))
    )
    ```
    """

    def __init__(
        self,
        size,
        network=None,
        reconstruction="magnitude",
        magnitude=False,
        density_compensation=True,
        trajectory=None,
        accuracy=1e-5,
        **kwargs,
    ):
        for name in ("data_consistency", "half_plane"):
            if kwargs.pop(name, False):
                raise invalid(name, "False for curves", True)
        super().__init__(network, reconstruction, magnitude=magnitude, **kwargs)
        self.curves = Curves(size, trajectory, density_compensation, accuracy)

    def adjoint(self, samples, positions, *maps):
        scan = self.curves.operator(
            *self.curves.operator_inputs(positions, *maps)
        )
        return scan.adjoint(samples)

    def get_config(self):
        config = super().get_config()
        del config["data_consistency"], config["half_plane"]
        return {**config, **self.curves.get_config()}

    def _check_shape(self, samples):
        """Do nothing: the shape of samples is not that of the network."""
