"""Make the noise of coils white: equal and uncorrelated."""

import numpy as np

from loupe_tf.checks import invalid


def whitening_matrix(noise):
    """Return the matrix that makes the noise of coils white.

    With N the noise samples of a scan without excitation, n for each coil, the
    covariance of the coils and the matrix W are

        Ψ = N Nᴴ / n = L Lᴴ,    W = L⁻¹

    with L the Cholesky factor, so that `W Ψ Wᴴ` is the identity (Pruessmann et
    al., "Advances in sensitivity encoding with arbitrary k-space
    trajectories", 2001). Only the ratios of the coils matter to an image: a
    noise scan of another bandwidth changes W by a factor.

    Args:
        noise: Complex array `(coils, n)`, with at least as many samples as
            coils. Use a thousand or more.

    Returns:
        Complex64 array `(coils, coils)`, lower triangular.

    Raises:
        ValueError: If the array is none of noise, such as one with a coil
            without noise, or with two coils that are the same.

    Example:

    >>> noise = loupe_tf.formats.load_noise("noise.npy")
    >>> matrix = loupe_tf.reconstruction.whitening_matrix(noise)
    """
    noise = np.asarray(noise)
    is_array = noise.ndim == 2 and noise.size and np.iscomplexobj(noise)
    if not is_array or noise.shape[1] < noise.shape[0]:
        raise invalid(
            "noise",
            "a complex array (coils, n), n at least the number of coils",
            found=f"shape={noise.shape}, dtype={noise.dtype}",
        )
    noise = noise.astype(np.complex128)
    if not np.isfinite(noise).all():
        raise invalid("noise", "finite samples", found="NaN or infinity")
    deviation = np.sqrt(np.mean(np.abs(noise) ** 2, axis=1))
    if not deviation.all():
        raise invalid(
            "noise",
            "noise in each coil",
            found=f"zeros in coil {int(np.argmin(deviation))}",
        )
    noise /= deviation[:, None]
    covariance = noise @ noise.conj().T / noise.shape[1]
    if np.linalg.cond(covariance) > 1e10:
        raise invalid(
            "noise",
            "coils whose noise differs",
            found="one coil that is a combination of the others",
        )
    factor = np.linalg.inv(np.linalg.cholesky(covariance))
    return (factor / deviation).astype(np.complex64)


class Prewhitened:
    """K-space, or samples of curves, whose coils are whitened slice by slice.

    Slice i is `W k`, with k the slice of the volume and W the whitening matrix.
    The coils of the result are combinations of those of the volume; estimate
    the sensitivity maps from it, or whiten maps with `whiten_maps`. Its unit is
    the standard deviation of the complex noise samples.

    Args:
        volume: `KspaceVolume`, `SampleVolume`, or a complex array
            `(slices, coils, H, W)`.
        noise: Complex array `(coils, n)`, see `whitening_matrix`.

    Attributes:
        shape: That of the volume.
        field_of_view: That of the volume, or `None`.
        matrix: Complex64 array `(coils, coils)`, W.

    Raises:
        ValueError: If noise and volume have different numbers of coils, or see
            `whitening_matrix`.

    Example:

    ```python
    noise = loupe_tf.formats.load_noise("noise.npy")
    with loupe_tf.formats.load_kspace("scan.h5") as volume:
        white = loupe_tf.reconstruction.Prewhitened(volume, noise)
        images = loupe_tf.reconstruct("model.keras", white, mask, "espirit")
    ```
    """

    def __init__(self, volume, noise):
        self.matrix = whitening_matrix(noise)
        self.volume = volume
        self.shape = tuple(volume.shape)
        self.field_of_view = getattr(volume, "field_of_view", None)
        if len(self.shape) != 4 or self.shape[1] != len(self.matrix):
            raise invalid(
                "noise",
                "that of the coils of k-space, (slices, coils, H, W)",
                found=f"noise of {len(self.matrix)} coils for k-space of shape "
                f"{self.shape}",
            )

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, i):
        """Return slice `i`, complex64 `(coils, ...)`."""
        return np.tensordot(self.matrix, self.volume[i], 1)


def whiten_maps(matrix, maps):
    """Return the sensitivity maps of whitened coils, with `Σᵢ |Sᵢ|² = 1`.

    Args:
        matrix: Complex array `(coils, coils)`, of `whitening_matrix`.
        maps: Complex array `(..., coils, H, W)`.

    Returns:
        Complex64 array of the shape of the maps, 0 where they are 0.
    """
    maps = np.moveaxis(np.tensordot(matrix, maps, (1, -3)), 0, -3)
    norm = np.linalg.norm(maps, axis=-3, keepdims=True)
    return (maps / np.where(norm > 0, norm, 1)).astype(np.complex64)
