import keras

from loupe_tf.checks import invalid
from loupe_tf.models.cnn import cnn
from loupe_tf.models.curves import Curves
from loupe_tf.models.xpdnet import XPDNet


@keras.saving.register_keras_serializable(package="loupe_tf")
class NCPDNet(XPDNet):
    """Rebuild an image from the samples of curves by a primal-dual iteration.

    This is `XPDNet` for non-Cartesian scans: with D the weights that
    compensate for the density of the samples, each iteration is

        u = Aᴴ D (A X₁ - y),    X = X + N([X, u])

    X is a buffer of several images, all of which start as `Aᴴ D y`, and the
    result is X₁ (Ramzi, G R, Starck and Ciuciu, "NC-PDNet: a density-
    compensated unrolled network for 2D and 3D non-Cartesian MRI
    reconstruction", IEEE TMI 2022). A is `loupe_tf.operators.NonUniform`, and D
    is its `density_compensation`, scaled such that the step u does not
    overshoot.

    Args:
        size: Tuple `(H, W)`, size of the image.
        network: Layer N from `(batch, H, W, 2 * (buffers + 1))` to
            `(batch, H, W, 2 * buffers)`. Channels are the pairs (real,
            imaginary) of one image after another. Defaults to the paper's:
            `cnn`, 3 convolutions with 32 filters.
        iterations: Integer ≥ 1, the number of iterations.
        buffers: Integer ≥ 1, the number of images in X.
        density_compensation: Boolean or `"differentiable"`. If `False`, all
            samples have the same weight. `"differentiable"` is for positions
            that are learned: gradients flow to them through D as well. With
            `True`, D is a constant for gradients.
        trajectory: (Optional) `Trajectory`, or positions
            `(shots, samples, 2)`, if it is the same for all scans. D is then
            computed once instead of in each call. The input `positions` must
            agree with it; if it does not, the image is NaN.
        accuracy: Float, relative error of A; see
            `loupe_tf.operators.NonUniform`. With 1e-3, a step takes less time.
        **kwargs: Further arguments of `Unrolled`, except `half_plane`.
            `sensitivities` may refine given maps, but not estimate them.

    Inputs:
        `[samples, positions]` for one coil, or `[samples, positions, maps]`.
        Samples are `(batch, coils, shots, samples, 2)`, (real, imaginary);
        positions `(1 or batch, shots, samples, 2)`, (along H, along W), in
        cycles per pixel; maps `(1 or batch, coils, H, W, 2)`.

    Output shape:
        `(batch, H, W, 2)`, float32.

    Raises:
        ValueError: If an argument is invalid, or if the positions do not have
            the shape of the given trajectory.

    Example:

    ```python
    trajectory = loupe_tf.trajectories.radial(shots=50, samples=320)
    model = loupe_tf.models.loupe_model(
        (320, 320, 1),
        sampler=loupe_tf.samplers.GivenTrajectory(trajectory),
        reconstructor=loupe_tf.models.NCPDNet(
            (320, 320), trajectory=trajectory
        ),
    )
    ```
    """

    def __init__(
        self,
        size,
        network=None,
        iterations=10,
        buffers=5,
        density_compensation=True,
        trajectory=None,
        accuracy=1e-5,
        **kwargs,
    ):
        super().__init__(network, iterations, buffers, **kwargs)
        self.curves = Curves(size, trajectory, density_compensation, accuracy)
        if self.half_plane:
            raise invalid("half_plane", "False for curves", self.half_plane)
        if not self.needs_maps:
            raise invalid(
                "sensitivities",
                "a layer that refines given maps: the calibration region of a "
                "mask is none of curves",
                self.sensitivities,
            )

    @classmethod
    def unet_channels(cls, **kwargs):
        raise NotImplementedError(
            f"{cls.__name__} was not trained with a U-Net; pass one as its "
            "`network`"
        )

    def build(self, input_shape):
        samples, *others = input_shape
        super().build([(*samples[:2], *self.curves.size, 2), *others])

    def default_network(self, size):
        channels = 2 * self.buffers
        return cnn(
            (None, None, channels + 2),
            output_channels=channels,
            depth=3,
            filters=32,
            normalization=None,
        )

    def operator_inputs(self, positions, *maps):
        return self.curves.operator_inputs(positions, *maps)

    def operator(self, positions, density, *maps):
        return self.curves.operator(positions, density, *maps)

    def get_config(self):
        config = super().get_config()
        del config["half_plane"]
        return {**config, **self.curves.get_config()}
