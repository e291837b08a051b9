import os
import pathlib
import zipfile

import numpy as np

from loupe_tf.reading import check_file, check_memory, naming
from loupe_tf.reconstruction.operators import (
    adjoint,
    fill_mirror,
    invalid,
    to_channels,
)
from loupe_tf.reconstruction.reconstructor import Reconstructor


class Network(Reconstructor):
    """A trained Keras model in the place of a classical method.

    A `loupe_model` takes images and measures them itself. This takes its
    second half, from the adjoint image on, so that k-space that was really
    measured goes in, of magnitude models too, and any mask: the one that was
    learned, or another to see how the network bears it.

    Several coils are combined by their maps to the adjoint image
    `S^H F^H y`. A model with data consistency takes as many coils as it was
    built for, which is one where it was built without `coils`. What a model of
    a half-plane fills in from the mirror is filled in here too, of one coil.

    A model of volumes needs all slices at once, and is not called by itself:
    `loupe_tf.reconstruct` feeds it.

    K-space should have the unit the model was trained in: that of images
    divided by their volume's maximum.

    Args:
        model: A `loupe_model` of any mask; or a functional model from adjoint
            images `(batch, H, W, 2)`, (real, imaginary), to images
            `(batch, H, W, 1)` or `(batch, H, W, 2)`, all of them with a D
            after the batch for volumes. The network D of a
            `loupe_model` alone gives a correction, not an image: give the
            whole model. Or the path of a `.keras` file of either.

    Returns (when called):
        Float32 `(H, W)` from models with one channel, complex64 from those
        with two.

    Raises:
        ValueError: If the model is neither of these, such as one of your own
            that measures images in another way than `loupe_model`, or was
            built for another matrix size.

    Example:

    ```python
    network = loupe_tf.reconstruction.Network("model.keras")
    image = network(kspace, mask, maps)
    ```
    """

    def __init__(self, model):
        import keras

        from loupe_tf.layers import ConjugateFill, DataConsistency
        from loupe_tf.reconstruction.cut import check_cut

        if isinstance(model, (str, os.PathLike)):
            model = load_model(model)
        layers = {layer.name: layer for layer in getattr(model, "layers", [])}
        if not getattr(model, "inputs", None):
            invalid("model", "a functional Keras model", model)
        check_cut(model)
        self.model = model
        self._mask_shape = None
        output = model.outputs[0]
        # `half` takes the adjoint image; or, with data consistency, the list of
        # that image, k-space with DC in the corner, and the mask; with `coils`
        # of image, k-space of all coils with DC in the centre, mask and maps.
        if "under_sample_img" in layers:
            inputs = [layers["under_sample_img"].output]
            if any(isinstance(x, DataConsistency) for x in layers.values()):
                inputs += layers["under_sample_kspace"].input
                inputs[1] = layers["under_sample_kspace"].output
                self._mask_shape = tuple(inputs[2].shape[1:3])
                if "maps" in layers:
                    inputs.append(layers["maps"].output)
            try:
                self.half = keras.Model(
                    inputs if len(inputs) > 1 else inputs[0], output
                )
            except ValueError as error:
                raise ValueError(
                    "Invalid value for argument `model`. Expected a model that "
                    "shares no layers with the one it was made of; instead of "
                    "what `with_binarization` returns give it the original. "
                    f"Received: {model.name!r} ({error})"
                ) from error
        else:
            inputs = model.inputs
            self.half = model
        self.fills = any(isinstance(x, ConjugateFill) for x in layers.values())
        *depth, height, width = inputs[0].shape[1:-1]
        self.is_volume = len(depth) == 1
        self._size = height, width
        self._depth = depth[0] if depth else None
        channels = inputs[0].shape[-1], output.shape[-1]
        shaped = len(inputs[0].shape) == len(output.shape) in (4, 5)
        few = len(self.half.inputs) == 1 or self._mask_shape
        if not shaped or not few or channels not in ((2, 1), (2, 2)):
            invalid(
                "model",
                "a loupe_model, or one from (batch, H, W, 2) to (batch, H, W, "
                "1) or (batch, H, W, 2), or of volumes (batch, D, H, W, 2)",
                f"inputs {[tuple(x.shape) for x in model.inputs]}, output "
                f"{tuple(output.shape)}",
            )

    def reconstruct(self, kspace, mask, maps):
        if self.is_volume:
            invalid(
                "kspace",
                "all slices at once for a model of volumes: call "
                "`loupe_tf.reconstruct`",
                "one slice",
            )
        self._check_size(mask.shape)
        self.check_coils(len(kspace))
        if self.fills:
            kspace, mask = fill_mirror(kspace, mask)
        return self._rebuild(adjoint(kspace, mask, maps), kspace, mask, maps)

    def reconstruct_volume(self, images, mask):
        """Rebuild a volume with a model of volumes.

        Args:
            images: Complex array `(D, H, W)`: the adjoint images of the
                slices along the read-out, coils combined.
            mask: Booleans `(H, W)`, the mask they were measured with.

        Returns:
            Float32 or complex64 `(D, H, W)`.
        """
        self._check_size(mask.shape)
        if self._depth not in (None, len(images)):
            invalid(
                "kspace", f"the {self._depth} slices of the model", len(images)
            )
        return self._rebuild(images, images[:1], mask, None)

    def check_coils(self, number):
        """Refuse several coils, which have a phase, where mirrors fill in."""
        if self.fills and number > 1:
            invalid(
                "kspace",
                "one coil, without a phase, for a model of a half-plane",
                f"{number} coils",
            )

    def _check_size(self, size):
        if any(n not in (None, m) for n, m in zip(self._size, size)):
            invalid(
                "kspace",
                f"the matrix size {self._size} of the model",
                size,
            )

    def _rebuild(self, image, kspace, mask, maps):
        """From adjoint images `(..., H, W)`, k-space for data consistency."""
        import keras

        inputs = [to_channels(image)]
        if self._mask_shape:
            is_single = len(self.half.inputs) == 3
            coils = 1 if is_single else self.half.inputs[1].shape[1]
            if coils not in (None, len(kspace)):
                invalid(
                    "kspace",
                    "the number of coils of a model with data consistency, "
                    f"{coils}",
                    f"{len(kspace)} coils",
                )
            if is_single:
                # Its k-space is that of an image with its origin in the corner.
                kspace = np.fft.fft2(image, norm="ortho")
                kspace = np.where(np.fft.ifftshift(mask), kspace, 0)
            inputs += [to_channels(kspace), self._fit(mask)]
            if not is_single:
                inputs.append(to_channels(maps))
        inputs = inputs if len(inputs) > 1 else inputs[0]
        output = self.half(inputs, training=False)
        output = keras.ops.convert_to_numpy(output)[0].astype(np.float32)
        if output.shape[-1] == 1:
            return output[..., 0]
        return (output[..., 0] + 1j * output[..., 1]).astype(np.complex64)

    def _fit(self, mask):
        """The mask in the shape that the model has, `(1, H, W, 1)`."""
        for axis, n in enumerate(self._mask_shape):
            if n != 1 or mask.shape[axis] == 1:
                continue
            first = np.take(mask, [0], axis=axis)
            if np.any(mask != first):
                invalid(
                    "mask",
                    "lines, as those of the model, of shape "
                    f"{self._mask_shape}",
                    "points",
                )
            mask = first
        return mask[None, :, :, None].astype(np.float32)


def load_model(path):
    """A model from a `.keras` file, in Keras's safe mode, not compiled."""
    import keras

    if pathlib.Path(path).suffix != ".keras":
        invalid("model", "a path that ends in .keras", path)
    check_file(path)
    with naming(path, "a model that Keras can load"):
        with zipfile.ZipFile(path) as file:
            sizes = sum(member.file_size for member in file.infolist())
            check_memory(path, 2 * sizes)
            damaged = file.testzip()
        if damaged is not None:
            raise ValueError(f"the checksum of {damaged} in it is another")
        return keras.models.load_model(path, compile=False, safe_mode=True)
