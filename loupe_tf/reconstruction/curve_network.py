import os

from loupe_tf import masks
from loupe_tf.checks import invalid
from loupe_tf.reconstruction.curve_reconstructor import CurveReconstructor
from loupe_tf.reconstruction.network import load_model


class CurveNetwork(CurveReconstructor):
    """A trained Keras model as a reconstructor of a non-Cartesian scan.

    Samples should have the unit of the training data: that of images divided
    by the maximum of their volume. `loupe_tf.reconstruct` sees to it. See
    `CurveReconstructor` for the call arguments.

    Args:
        model: A Keras layer or model from `[samples, positions]` or
            `[samples, positions, maps]` to an image, such as
            `loupe_tf.models.NCPDNet`; a `loupe_model` with such a
            reconstructor; or the path of a `.keras` file with either. Samples
            are `(batch, coils, shots, samples, 2)`, positions
            `(1, shots, samples, 2)`, in cycles per pixel.

    Raises:
        ValueError: If the model is for a mask.

    Example:

    ```python
    network = loupe_tf.reconstruction.CurveNetwork("model.keras")
    image = network(samples, trajectory, maps)
    ```
    """

    needs_maps = True
    needs_scale = True

    def __init__(self, model):
        from loupe_tf.models.reconstructor_of import reconstructor_of

        if isinstance(model, (str, os.PathLike)):
            model = load_model(model)
        self.model = model
        self.reconstructor = reconstructor_of(model)
        try:
            masks.from_model(model)
        except ValueError:
            return  # It has no mask.
        raise invalid(
            "model",
            "a reconstructor of samples along a trajectory",
            found=f"{type(model).__name__}, which has a mask",
        )

    def solve(self, scan, density, samples):
        from keras import ops

        positions = ops.cast(scan.positions, "float32")
        inputs = [ops.convert_to_tensor(samples), positions]
        if scan.maps is not None:
            inputs.append(ops.convert_to_tensor(scan.maps))
        return self.reconstructor(inputs, training=False)
