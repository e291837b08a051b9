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
    """A trained Keras model in the place of a classical method.

    It takes k-space that was really measured, and any mask: the one that was
    learned, or another to see how the network bears it. A `loupe_model` has
    learned to rebuild what its own forward operator measures: its
    `reconstructor` is all that is used of it.

    A model of volumes needs all slices at once, and is not called by itself:
    `loupe_tf.reconstruct` feeds it.

    K-space should have the unit the model was trained in: that of images
    divided by their volume's maximum.

    Args:
        model: A `loupe_model` of any mask; its `reconstructor`, or another
            Keras layer or model from `[kspace, mask]` or
            `[kspace, mask, maps]` to an image, with the shapes of
            `loupe_tf.models.AdjointNetwork`; or a functional model from
            adjoint images `(batch, H, W, 2)`, (real, imaginary), to images
            `(batch, H, W, 1)` or `(batch, H, W, 2)`. The network D of a
            `loupe_model` alone gives a correction, not an image: give the
            whole model. Or the path of a `.keras` file of any of these.

    Returns (when called):
        Float32 `(H, W)` from models with one channel, complex64 from those
        with two.

    Raises:
        ValueError: If the model is none of these, or was built for another
            matrix size.

    Example:

    ```python
    network = loupe_tf.reconstruction.Network("model.keras")
    image = network(kspace, mask, maps)
    ```
    """

    def __init__(self, model):
        from loupe_tf.models.reconstructor_of import (
            kspace_shape,
            reconstructor_of,
        )

        if isinstance(model, (str, os.PathLike)):
            model = load_model(model)
        self.model = model
        self.reconstructor = reconstructor_of(model)
        self._inputs = getattr(self.reconstructor, "inputs", None)
        self._shape = kspace_shape(self.reconstructor)
        self.is_volume = self._shape is not None and len(self._shape) == 6

    def own_masks(self):
        try:
            found = masks.from_model(self.model)
        except ValueError:
            return ()  # It takes any mask, or none that is binary.
        return found if isinstance(found, tuple) else (found,)

    def complete(self, kspace, mask):
        if not getattr(self.reconstructor, "half_plane", False):
            return kspace, mask
        if len(kspace) > 1:
            raise invalid(
                "kspace",
                "one coil, without a phase, for a model of a half-plane",
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

        inputs = [
            to_channels(kspace),
            mask[None, :, :, None].astype(np.float32),
        ]
        if maps is not None:
            inputs.append(to_channels(maps))
        if self._inputs:
            self._check_coils(len(kspace))
            inputs[1] = self._fit(inputs[1])
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
        """The mask in the shape of the model's own input for it."""
        for axis in (1, 2):
            if self._inputs[1].shape[axis] == 1:
                first = np.take(mask, [0], axis=axis)
                if np.any(mask != first):
                    raise invalid(
                        "mask", "lines, as those of the model", found="points"
                    )
                mask = first
        return mask


def as_reconstructor(model):
    """Take a trained model for a reconstructor, and leave all others.

    Args:
        model: A Keras model, or the path of one, that `Network` takes; or any
            callable `(kspace, mask, maps)`.

    Returns:
        A callable `(kspace, mask, maps)`: a `Network`, or what was given.
    """
    import keras

    is_path = isinstance(model, str | os.PathLike)
    is_trained = is_path or isinstance(model, keras.layers.Layer)
    if not is_trained and callable(model):
        return model
    return Network(model)


def load_model(path):
    """A model from a `.keras` file, in Keras's safe mode, not compiled."""
    import keras

    import loupe_tf.models  # noqa: F401  (registers what the file may name)

    if pathlib.Path(path).suffix != ".keras":
        raise invalid("model", "a path that ends in .keras", path)
    check_file(path)
    with naming(path, "a model that Keras can load"):
        with zipfile.ZipFile(path) as file:
            sizes = sum(member.file_size for member in file.infolist())
            check_memory(path, 2 * sizes)
            damaged = file.testzip()
        if damaged is not None:
            raise ValueError(f"the checksum of {damaged} in it is another")
        return keras.models.load_model(path, compile=False, safe_mode=True)
