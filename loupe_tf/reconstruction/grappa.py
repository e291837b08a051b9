import dataclasses
import math

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from loupe_tf.checks import check_number, invalid
from loupe_tf.numpy_fourier import ifft2c
from loupe_tf.numpy_operators import root_sum_of_squares
from loupe_tf.reconstruction.calibration import acquired_widths, center
from loupe_tf.reconstruction.reconstructor import Reconstructor


@dataclasses.dataclass(frozen=True)
class Grappa(Reconstructor):
    """GRAPPA: missing samples as weighted sums of their acquired neighbours.

    A missing sample t of all coils is `t = s G`, where s holds the acquired
    samples of all coils in a window around it (Griswold et al., "Generalized
    autocalibrating partially parallel acquisitions", 2002). Each pattern of
    acquired neighbours has its own weights G. They are learned in the centre
    of k-space, which must be fully acquired:

        G = (S^H S + λ I)^-1 S^H T

    The rows of S and T come from every position of the window in the centre.

    A missing sample stays zero if its window has no acquired neighbour. Masks
    of lines have few patterns. Masks of points have nearly as many patterns as
    missing samples, and take long.

    This package does not use pygrappa, which ignores the mask and takes zeros
    in the first coil for missing samples, and which trains at the border of
    the calibration region on zeros beyond it.

    Args:
        kernel_size: Pair of odd integers, the window along H and W.
        regularization: Number of at least 0. λ is this number times the mean
            eigenvalue of `S^H S`.

    Returns (when called):
        Without maps, the root of the sum of squares of the coil images,
        float32 `(H, W)`. With maps, the image that fits the coil images best,
        `Σ S̄ᵢ xᵢ / Σ |Sᵢ|²`, complex64 `(H, W)`.

    Raises:
        ValueError: If an argument is invalid, if there is only one coil, or if
            the centre is too small to learn the weights.

    Example:

    >>> image = Grappa()(kspace, mask)
    """

    kernel_size: tuple = (5, 5)
    regularization: float = 0.01

    needs_maps = False

    def __post_init__(self):
        sizes = self.kernel_size
        if (
            not isinstance(sizes, (tuple, list))
            or len(sizes) != 2
            or any(not isinstance(n, (int, np.integer)) for n in sizes)
            or any(n < 1 or n % 2 == 0 for n in sizes)
        ):
            raise invalid("kernel_size", "a pair of odd integers", found=sizes)
        check_number("regularization", self.regularization, at_least=0)

    def reconstruct(self, kspace, mask, maps):
        if len(kspace) == 1:
            raise invalid(
                "kspace", "several coils for GRAPPA", found=kspace.shape
            )
        images = ifft2c(self.fill(kspace, mask)).astype(np.complex64)
        if maps is None:
            return root_sum_of_squares(images)
        energy = np.sum(np.abs(maps) ** 2, axis=0)
        combined = np.sum(maps.conj() * images, axis=0)
        return np.divide(
            combined, energy, where=energy > 0, out=np.zeros_like(combined)
        )

    def fill(self, kspace, mask):
        """Return k-space `(coils, H, W)` with the missing samples filled in.

        Args:
            kspace: Complex64 array `(coils, H, W)`, zero where not acquired.
            mask: Boolean array `(H, W)`.
        """
        coils, height, width = kspace.shape
        kernel = tuple(self.kernel_size)
        reach = [(n // 2, n // 2) for n in kernel]
        # A window is centred on each sample; nothing is acquired outside.
        windows = sliding_window_view(np.pad(mask, reach), kernel)
        windows = windows.reshape(height * width, -1)
        missing = np.flatnonzero(~mask.ravel() & windows.any(axis=1))
        filled = kspace.copy()
        if not len(missing):
            return filled
        patterns, group = np.unique(
            windows[missing], axis=0, return_inverse=True
        )
        group = group.ravel()
        unknowns = coils * int(patterns.sum(axis=1).max())
        size = self._calibration_size(mask, unknowns)

        # (positions, coils, entries of the window)
        train = sliding_window_view(center(kspace, size), kernel, axis=(1, 2))
        train = train.reshape(coils, -1, math.prod(kernel)).swapaxes(0, 1)
        targets = train[:, :, math.prod(kernel) // 2]
        padded = np.pad(kspace, [(0, 0), *reach])
        for i, pattern in enumerate(patterns):
            sources = train[:, :, pattern].reshape(len(train), -1)
            gram = sources.conj().T @ sources
            penalty = self.regularization * np.trace(gram).real / len(gram)
            gram = gram + penalty * np.eye(len(gram), dtype=gram.dtype)
            # The solution of least norm, in case all samples are zero.
            kernel_weights = np.linalg.lstsq(
                gram, sources.conj().T @ targets, rcond=None
            )[0]
            rows, columns = np.divmod(missing[group == i], width)
            down, right = np.divmod(np.flatnonzero(pattern), kernel[1])
            neighbours = padded[
                :, rows[:, None] + down, columns[:, None] + right
            ].swapaxes(0, 1)
            neighbours = neighbours.reshape(len(rows), -1)
            filled[:, rows, columns] = (neighbours @ kernel_weights).T
        return filled

    def _calibration_size(self, mask, unknowns):
        """Return the acquired centre `(h, w)` with most window positions."""
        height, width = mask.shape
        kh, kw = self.kernel_size
        widths = acquired_widths(mask)
        down = np.maximum(np.arange(1, height + 1) - kh + 1, 0)
        positions = down * np.maximum(widths - kw + 1, 0)
        best = int(np.argmax(positions))
        if positions[best] >= unknowns:
            return best + 1, int(widths[best])

        def lines(kernel, other):
            return kernel - 1 + math.ceil(unknowns / max(other, 1))

        if np.all(mask == mask[:1]):
            needed = f"at least {lines(kw, height - kh + 1)} columns"
        elif np.all(mask == mask[:, :1]):
            needed = f"at least {lines(kh, width - kw + 1)} rows"
        else:
            side = max(kh, kw)
            while (side - kh + 1) * (side - kw + 1) < unknowns:
                side += 1
            needed = f"at least {side}×{side} samples"
        first = int(np.argmax(np.arange(1, height + 1) * widths))
        raise invalid(
            "mask",
            f"a fully acquired centre of {needed}, from which GRAPPA learns "
            f"the {unknowns} weights of a window of {kh}×{kw}",
            found=f"one that acquires {first + 1}×{int(widths[first])} there",
        )
