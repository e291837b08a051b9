import numpy as np

from loupe_tf.checks import invalid
from loupe_tf.masks.centre import judging
from loupe_tf.numpy_operators import check_complex, check_maps, check_mask


class Reconstructor:
    """Base of all reconstructors, functions of k-space, mask and maps.

    A subclass implements `reconstruct(kspace, mask, maps)`. Its arguments are
    k-space `(coils, H, W)`, complex64 and zero where nothing was acquired; the
    boolean mask `(H, W)`; and the maps `(coils, H, W)`, complex64, or `None`.
    A single coil without maps gets a map of ones.

    Call arguments:
        kspace: Complex array `(H, W)` or `(coils, H, W)`, orthonormal, with DC
            at `(H // 2, W // 2)`. Samples that the mask does not acquire are
            not used.
        mask: Array of booleans, or of 0 and 1, or a `SamplingMask`, of shape
            `(H, W)`, `(1, W)` or `(H, 1)`. A mask that seems to have DC in the
            corner (`loupe_tf.masks.dc_position`) causes a warning.
        maps: Sensitivity maps, complex array `(coils, H, W)`, or `None`.

    Returns:
        Array `(H, W)`, complex64, or float32 for magnitudes.

    Raises:
        ValueError: If arguments do not fit each other, if the samples are not
            finite, or if several coils lack the maps they need.

    Example:

    ```python
    class Magnitude(loupe_tf.reconstruction.Reconstructor):
        def reconstruct(self, kspace, mask, maps):
            image = loupe_tf.reconstruction.adjoint(kspace, mask, maps)
            return abs(image)
    ```
    """

    needs_maps = True
    """Whether combining several coils requires maps."""

    needs_sigpy = False
    """Whether the method requires sigpy (the extra `reconstruction`)."""

    is_volume = False
    """Whether `reconstruct` needs all slices of a volume at once."""

    def own_masks(self):
        """Return a tuple of `SamplingMask`s that the model was trained for."""
        return ()

    def complete(self, kspace, mask):
        """Fill in samples that follow from the acquired ones.

        Args:
            kspace: Complex array `(coils, H, W)`.
            mask: Boolean array `(H, W)`.

        Returns:
            A pair of k-space and mask, unchanged by default.
        """
        return kspace, mask

    @judging
    def __call__(self, kspace, mask, maps=None):
        kspace = check_complex("kspace", kspace)
        if kspace.ndim not in (2, 3):
            raise invalid(
                "kspace", "shape (H, W) or (coils, H, W)", found=kspace.shape
            )
        kspace = kspace[None] if kspace.ndim == 2 else kspace
        mask = check_mask(mask, kspace.shape[-2:])
        kspace = np.where(mask, kspace, 0)
        if not np.isfinite(kspace).all():
            raise invalid("kspace", "finite samples", found="NaN or infinity")
        if maps is not None:
            maps = check_maps(maps, kspace.shape)
        elif len(kspace) == 1:
            maps = np.ones(kspace.shape, np.complex64)
        elif self.needs_maps:
            raise invalid(
                "maps",
                f"sensitivity maps {kspace.shape}, which "
                f"{type(self).__name__} needs for several coils; "
                "`espirit_maps` estimates them",
                None,
            )
        return self.reconstruct(kspace, mask, maps)
