import os
import pathlib
import zipfile

import numpy as np

from loupe_tf import masks
from loupe_tf.checks import invalid
from loupe_tf.numpy_operators import fill_mirror, to_channels
from loupe_tf.reading import check_file, check_memory, naming
from loupe_tf.reconstruction.reconstructor import Reconstructor


class Network(Reconstructor):
    """A trained Keras model as a reconstructor.

    It takes measured k-space and any mask: the learned one, or another to test
    the robustness of the network. Only the `reconstructor` of a `loupe_model`
    is used, because the rest of the model simulates the measurement.

    A model of volumes needs all slices at once. Use `loupe_tf.reconstruct` for
    it rather than calling this class.

    K-space should have the unit of the training data: that of images divided
    by the maximum of their volume.

    Args:
        model: One of these, or the path of a `.keras` file with one: a
            `loupe_model` with any mask; its `reconstructor`, or another Keras
            layer or model from `[kspace, mask]` or `[kspace, mask, maps]` to
            an image, with the shapes of `loupe_tf.models.AdjointNetwork`; or a
            functional model from adjoint images `(batch, H, W, 2)`, (real,
            imaginary), to images `(batch, H, W, 1)` or `(batch, H, W, 2)`. Do
            not pass only the network D of a `loupe_model`: its output is a
            correction, not an image.

    Returns (when called):
        Float32 array `(H, W)` for models with one output channel, complex64
        for models with two.

    Raises:
        ValueError: If the model is none of these, or if it was built for
            another matrix size.

    Example:

    ```python
    network = loupe_tf.reconstruction.Network("model.keras")
    image = network(kspace, mask, maps)
    ```
    """

    def __init__(self, model):
        from loupe_tf.models.reconstructor_of import (
            kspace_shape,
            mask_shape,
            reconstructor_of,
        )

        if isinstance(model, (str, os.PathLike)):
            model = load_model(model)
        self.model = model
        self.reconstructor = reconstructor_of(model)
        self._inputs = getattr(self.reconstructor, "inputs", None)
        self._shape = kspace_shape(self.reconstructor)
        self._mask_shape = mask_shape(self.reconstructor)
        self.is_volume = self._shape is not None and len(self._shape) == 6
        self.needs_maps = getattr(self.reconstructor, "needs_maps", True)

    def own_masks(self):
        try:
            found = masks.from_model(self.model)
        except ValueError:
            return ()  # The model has no mask of its own, or no binary one.
        return found if isinstance(found, tuple) else (found,)

    def complete(self, kspace, mask):
        if not getattr(self.reconstructor, "half_plane", False):
            return kspace, mask
        if len(kspace) > 1:
            raise invalid(
                "kspace",
                "one coil, without phase, for a model of a half-plane",
                found=f"{len(kspace)} coils",
            )
        return fill_mirror(kspace, mask)

    def reconstruct(self, kspace, mask, maps):
        is_volume = kspace.ndim == 4
        if is_volume != self.is_volume:
            raise invalid(
                "kspace",
                "all slices at once for a model of volumes: call "
                "`loupe_tf.reconstruct`"
                if self.is_volume
                else "one slice",
                found="all slices" if is_volume else "one slice",
            )
        import keras

        maps_layer = getattr(self.reconstructor, "sensitivities", None)
        if hasattr(maps_layer, "check_acquired"):
            maps_layer.check_acquired(mask, mask.shape)
        inputs = [
            to_channels(kspace),
            mask[None, :, :, None].astype(np.float32),
        ]
        if maps is not None:
            inputs.append(to_channels(maps))
        inputs[1] = self._fit(inputs[1])
        if self._inputs:
            self._check_coils(len(kspace))
            inputs = inputs[: len(self._inputs)]
        output = self.reconstructor(inputs, training=False)
        output = keras.ops.convert_to_numpy(output)[0].astype(np.float32)
        if output.shape[-1] == 1:
            return output[..., 0]
        return (output[..., 0] + 1j * output[..., 1]).astype(np.complex64)

    def _check_coils(self, number):
        coils = self._shape[1]
        if coils not in (None, number):
            raise invalid(
                "kspace",
                f"the number of coils of the model, {coils}",
                found=f"{number} coils",
            )

    def _fit(self, mask):
        """Give the mask the shape of the model's input.

        `SensitivityMaps` tell lines by this shape, and estimate maps from all
        of the central lines.
        """
        for axis in (1, 2):
            if self._mask_shape is not None and self._mask_shape[axis] == 1:
                first = np.take(mask, [0], axis=axis)
                if not np.any(mask != first):
                    mask = first
                elif self._inputs:  # Others take masks of any shape.
                    raise invalid(
                        "mask", "lines, as in the model", found="points"
                    )
        return mask


def as_reconstructor(model):
    """Wrap a trained model in a `Network`; return other callables unchanged.

    Args:
        model: A Keras model for `Network`, or its path; or any callable
            `(kspace, mask, maps)`.

    Returns:
        A callable `(kspace, mask, maps)`.
    """
    import keras

    is_path = isinstance(model, str | os.PathLike)
    is_trained = is_path or isinstance(model, keras.layers.Layer)
    if not is_trained and callable(model):
        return model
    return Network(model)


def load_model(path):
    """Load a `.keras` file in Keras's safe mode, without compiling."""
    import keras

    import loupe_tf.models  # noqa: F401  (registers classes of the file)

    if pathlib.Path(path).suffix != ".keras":
        raise invalid("model", "a path that ends in .keras", path)
    check_file(path)
    with naming(path, "a model that Keras can load"):
        with zipfile.ZipFile(path) as file:
            sizes = sum(member.file_size for member in file.infolist())
            check_memory(path, 2 * sizes)
            damaged = file.testzip()
        if damaged is not None:
            raise ValueError(f"The checksum of {damaged} in it does not match")
        return keras.models.load_model(path, compile=False, safe_mode=True)
