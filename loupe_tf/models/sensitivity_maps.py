import keras
import numpy as np
from keras import ops

from loupe_tf import fourier
from loupe_tf.checks import invalid
from loupe_tf.layers.float32_layer import Float32Layer
from loupe_tf.masks.budget import (
    calibration_region,
    standardize_calibration,
)
from loupe_tf.operators.cartesian import fit_mask


@keras.saving.register_keras_serializable(package="loupe_tf")
class SensitivityMaps(Float32Layer):
    """Estimate or refine the sensitivity maps of the coils.

    The images of the calibration region C are smooth, so they have the shape
    of the sensitivities. A network can refine them, one coil at a time, and
    their squares are made to sum to 1:

        cᵢ = F⁻¹(C ∘ yᵢ),    mᵢ = N(cᵢ),    Sᵢ = mᵢ / √(Σⱼ |mⱼ|²)

    This is the estimate of the end-to-end variational network (Sriram et al.,
    MICCAI 2020). XPDNet refines maps by `mᵢ = sᵢ + N(sᵢ)`, with `residual=True`
    (Ramzi et al., 2020). Where all coils are 0, so are the maps.

    Args:
        calibration: Size of the calibration region C, as for the mask: an
            integer, the number of lines or the side of a square, or a pair
            `(h, w)`. The mask must acquire it: C is not guessed from the mask,
            since a learned mask of points has no clear border. `None` refines
            the given maps.
        network: Layer N from `(batch, H, W, 2)` to the same shape, such as
            `norm_unet((H, W, 2), filters=8)`; or `None`.
        residual: Boolean. Whether the network returns a correction. Its
            arguments are then the normalised maps s.
        **kwargs: Further arguments of `keras.layers.Layer`.

    Inputs:
        `[kspace, mask]` or `[kspace, mask, maps]`, as for `AdjointNetwork`.

    Output shape:
        `(batch, coils, ..., H, W, 2)`, float32.

    Example:

    ```python
    maps = loupe_tf.models.SensitivityMaps(
        calibration=24,
        network=loupe_tf.models.norm_unet((320, 320, 2), filters=8),
    )
    reconstructor = loupe_tf.models.VarNet(sensitivities=maps, combine="rss")
    ```
    """

    def __init__(
        self, calibration=None, network=None, residual=False, **kwargs
    ):
        super().__init__(**kwargs)
        if network is not None and not isinstance(network, keras.layers.Layer):
            raise invalid("network", "a Keras layer or model, or None", network)
        if not calibration and network is None:
            raise invalid(
                "network",
                "a network that refines the given maps, if there is no "
                "calibration region to estimate them from",
                None,
            )
        self.calibration = standardize_calibration(calibration)
        self.network = network
        self.residual = residual

    @property
    def needs_maps(self):
        """Whether the maps have to be given."""
        return not self.calibration

    def call(self, inputs):
        kspace, mask, *maps = inputs
        if self.needs_maps:
            if not maps:
                raise invalid(
                    "maps",
                    "sensitivity maps as a third input, which a "
                    "`SensitivityMaps` without a calibration region refines",
                    None,
                )
            maps = maps[0]
        else:
            region = self.region(tuple(mask.shape[1:-1]), kspace.shape)
            maps = fourier.ifft2c(fit_mask(region, kspace) * kspace)
        if self.network is None or self.residual:
            maps = _normalized(maps)
        if self.network is not None:
            shape = ops.shape(maps)
            found = self.network(ops.reshape(maps, (-1, *maps.shape[2:])))
            found = ops.reshape(ops.cast(found, "float32"), shape)
            maps = _normalized(maps + found if self.residual else found)
        return maps

    def region(self, lines, kspace):
        """Return C as a float32 array `(1, H or 1, W or 1, 1)`.

        Args:
            lines: Pair, the size of the mask: 1 along an axis that it does not
                vary along.
            kspace: Shape of k-space, `(..., H, W, 2)`.
        """
        shape = tuple(
            1 if line == 1 and not isinstance(self.calibration, tuple) else size
            for line, size in zip(lines, kspace[-3:-1])
        )
        region = calibration_region(shape, self.calibration)
        return region[None, ..., None].astype(np.float32)

    def check_acquired(self, mask, size, argument="mask"):
        """Refuse a mask that leaves out a part of C.

        Args:
            mask: Boolean array `(H, W)`, `(1, W)` or `(H, 1)`, centred: what
                is surely acquired.
            size: Pair `(H, W)`.
            argument: String, the argument that the error names.

        Raises:
            ValueError: If the mask leaves out a part of C.
        """
        if self.needs_maps:
            return
        region = self.region(mask.shape, (*size, 2))[0, ..., 0]
        missing = int((np.broadcast_to(region, size) > mask).sum())
        if missing:
            raise invalid(
                argument,
                f"a mask with the calibration region {self.calibration}, from "
                "which the sensitivity maps are estimated",
                found=f"a mask without {missing} of its "
                f"{int(np.broadcast_to(region, size).sum())} samples",
            )

    def compute_output_shape(self, input_shape):
        return tuple(input_shape[0])

    def get_config(self):
        network = self.network
        return {
            **super().get_config(),
            "calibration": self.calibration,
            "network": network and keras.saving.serialize_keras_object(network),
            "residual": self.residual,
        }

    @classmethod
    def from_config(cls, config):
        network = keras.saving.deserialize_keras_object(config["network"])
        return cls(**{**config, "network": network})


def _normalized(maps):
    """Divide maps by the root of their sum of squares over coils."""
    power = ops.sum(ops.square(maps), (1, -1), keepdims=True)
    # A root has an infinite gradient at 0.
    safe = ops.where(power > 0, power, 1.0)
    return ops.where(power > 0, maps / ops.sqrt(safe), 0.0)
