from keras import ops

from loupe_tf import fourier
from loupe_tf.checks import invalid
from loupe_tf.operators.coils import (
    combine_coils,
    combine_parts,
    expand_coils,
    weight_parts,
)


class Cartesian:
    """Forward operator of a Cartesian scan, `y = M F S x`, and its adjoint.

    F is the centred orthonormal Fourier transform, S the sensitivity maps of
    the coils, M the mask (Pruessmann et al., "SENSE: sensitivity encoding for
    fast MRI", 1999). The operator computes in float32 and is differentiable in
    image, k-space, mask and maps.

    Args:
        mask: Real tensor `(1 or batch, H or 1, W or 1, 1)` with DC at
            `(H // 2, W // 2)`, or `None` to acquire everything.
        maps: Tensor `(1 or batch, coils, H, W, 2)`, (real, imaginary), or
            `None` for a single coil of uniform sensitivity.

    Images have the shape `(batch, H, W, 2)` and k-space
    `(batch, coils, H, W, 2)`, with one coil if there are no maps. Volumes have
    `(batch, D, H, W, 2)` and `(batch, coils, D, H, W, 2)`; the read-out axis D
    is not transformed.

    Raises:
        ValueError: If the mask has not four axes; that of a `SamplingMask`,
            `array`, needs `array[None, ..., None]`.

    Example:

    >>> scan = loupe_tf.operators.Cartesian(mask, maps)
    >>> residual = scan.forward(image) - kspace
    >>> image = image - scan.adjoint(residual)
    """

    def __init__(self, mask=None, maps=None):
        # One of (H, W, 1) would be multiplied along other axes than meant.
        if mask is not None and len(mask.shape) != 4:
            raise invalid(
                "mask",
                "shape (1 or batch, H or 1, W or 1, 1)",
                found=f"shape={tuple(mask.shape)}",
            )
        self.mask = mask
        self.maps = maps

    def forward(self, image):
        """Return the k-space of an image, 0 where nothing is acquired."""
        return self._sample(fourier.fft2c(expand_coils(image, self.maps)))

    def adjoint(self, kspace):
        """Apply the adjoint of `forward`: `x = S^H F^H M y`.

        A binary M does not change measured k-space, which is already 0 where
        nothing was acquired.
        """
        coils = fourier.ifft2c(self._sample(kspace))
        return combine_coils(coils, self.maps)

    def normal(self, image):
        """Return `adjoint(forward(image))`."""
        apply, tensors = self.make_normal()
        return apply(image, *tensors)

    def make_normal(self):
        """Return `normal` as a function, to be applied many times.

        Mask and maps are prepared once: their origin is moved to the corner,
        where the Fourier transforms have it, so that coil images need no shift.
        A mask of lines leaves the axis along them fully sampled. The transforms
        along it cancel, and are left out.

        Returns:
            Function of an image `(batch, ..., H, W, 2)` and the prepared
            tensors to an image of that shape, and a list of these tensors:
            squared mask, real and imaginary part of the maps, or those of them
            that there are. With a mask of rows, their H and W are swapped.
        """
        masked, several = self.mask is not None, self.maps is not None
        lines = masked and 1 in self.mask.shape[1:3]
        transform, inverse = fourier.fft2_parts, fourier.ifft2_parts
        if lines:
            transform, inverse = fourier.fft_parts, fourier.ifft_parts

        def move(x):
            """Move the axis that lines sample to the place of W."""
            rows = lines and self.mask.shape[1] > 1
            return ops.swapaxes(x, -3, -2) if rows else x

        tensors = []
        if masked:
            mask = move(fourier.ifftshift(self.mask))
            tensors.append(ops.square(mask))
        if several:
            maps = move(fourier.ifftshift(self.maps))
            tensors.extend(fourier.split(maps))

        def apply(image, *tensors):
            image = move(fourier.ifftshift(fourier.standardize(image)))
            image = ops.expand_dims(image, 1)
            parts = fourier.split(image)
            maps = tensors[-2:]
            if several:
                parts = weight_parts(maps, parts)
            parts = transform(*parts)
            if masked:
                weights = fit_mask(tensors[0], image)[..., 0]
                parts = [weights * part for part in parts]
            parts = inverse(*parts)
            if several:
                parts = combine_parts(maps, parts)
            else:
                parts = [ops.squeeze(part, 1) for part in parts]
            return fourier.fftshift(move(fourier.join(*parts)))

        return apply, tensors

    def _sample(self, kspace):
        if self.mask is None:
            return kspace
        return fit_mask(self.mask, kspace) * kspace


def fit_mask(mask, kspace):
    """Give a mask as many axes as k-space, so that they can be multiplied.

    Args:
        mask: Tensor `(1 or batch, H or 1, W or 1, 1)`.
        kspace: Tensor `(batch, ..., H, W, 2)`.

    Returns:
        Tensor `(1 or batch, ..., H or 1, W or 1, 1)`.
    """
    missing = len(kspace.shape) - len(mask.shape)
    return ops.expand_dims(mask, tuple(range(1, 1 + missing)))
