"""The networks that are tried on the stand-in of the fastMRI challenge."""

import keras
from keras import ops

import loupe_tf
from loupe_tf import fourier


@keras.saving.register_keras_serializable(package="experiments")
class RootSumOfSquaresNetwork(keras.Model):
    """A network on the zero-filled magnitude, as fastMRI's baseline.

    With xᵢ the zero-filled image of coil i, the image is `N(√Σ|xᵢ|²)`.

    Args:
        network: Layer N from `(batch, H, W, 1)` to the same shape.

    Inputs:
        `[kspace, mask]`, as for `loupe_tf.models.AdjointNetwork`.

    Output shape:
        `(batch, H, W, 1)`.
    """

    needs_maps = False

    def __init__(self, network, **kwargs):
        super().__init__(**kwargs)
        self.network = network

    def call(self, inputs):
        images = fourier.ifft2c(inputs[0])
        power = ops.sum(ops.square(images), (1, -1))[..., None]
        return self.network(ops.sqrt(power + 1e-12))

    def get_config(self):
        network = keras.saving.serialize_keras_object(self.network)
        return {"name": self.name, "network": network}

    @classmethod
    def from_config(cls, config):
        network = keras.saving.deserialize_keras_object(config["network"])
        return cls(**{**config, "network": network})


def make_network(name, settings, size, calibration):
    """Make a network of the experiment, built for a size.

    Args:
        name: String, `"unet"` or `"varnet"`.
        settings: Dict with `"filters"`, `"depth"`, `"varnet_filters"` and
            `"iterations"`.
        size: Tuple `(H, W)` of k-space.
        calibration: Integer, the number of central columns.

    Returns:
        A `keras.Model` from `[kspace, mask]` to magnitudes `(batch, H, W, 1)`.
    """
    if name == "unet":
        model = RootSumOfSquaresNetwork(
            loupe_tf.models.fastmri_unet(
                (*size, 1),
                filters=settings["filters"],
                depth=settings["depth"],
                standardize="image",
            ),
            name=name,
        )
    else:
        model = loupe_tf.models.VarNet(
            loupe_tf.models.fastmri_unet(
                (*size, 2),
                output_channels=2,
                filters=settings["varnet_filters"],
                depth=settings["depth"],
                standardize="residual",
                output_initializer="zeros",
            ),
            iterations=settings["iterations"],
            combine="rss",
            sensitivities=loupe_tf.models.SensitivityMaps(calibration),
            name=name,
        )
    kspace = ops.ones((1, 2, *size, 2))
    model([kspace, ops.ones((1, 1, size[1], 1))])
    return model
