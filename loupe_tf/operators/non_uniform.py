import copy
import math

import numpy as np
from keras import ops

from loupe_tf import fourier
from loupe_tf.checks import check_integer, invalid
from loupe_tf.operators.coils import combine_coils, expand_coils
from loupe_tf.operators.gridding import Gridding


class NonUniform:
    """Forward operator of a non-Cartesian scan, `y = F S x`, and its adjoint.

    S are the sensitivity maps of the coils. F samples the Fourier transform at
    any position k,

        y_m = 1/√(HW) Σ_r x_r exp(-2πi k_m·r)

    where r is the distance in pixels from `(H // 2, W // 2)`, and k is in
    cycles per pixel, from -1/2 to 1/2. At positions of a Cartesian grid, F is
    `loupe_tf.fourier.fft2c`. Beyond ±1/2, k-space repeats: k and k + 1 give the
    same sample.

    F is computed by FFT on a grid of twice the size, from which the samples are
    interpolated (Fessler and Sutton, "Nonuniform fast Fourier transforms using
    min-max interpolation", 2003); the adjoint uses the same weights, so that it
    is exact. The operator computes in float32, and is differentiable in image,
    samples, maps and positions.

    Args:
        positions: `(1 or batch, ..., 2)`, (along H, along W), in cycles per
            pixel; the axes in between, such as (shots, samples), are those of
            the samples. One image is measured along each of several
            trajectories. A NumPy array is a fixed trajectory, whose weights are
            computed once. A tensor may be learned.
        size: Tuple `(H, W)`, size of the image.
        maps: Tensor `(1 or batch, coils, H, W, 2)`, (real, imaginary), or
            `None` for a single coil of uniform sensitivity.
        accuracy: Float, the relative error that is asked for, from 0.1 to 1e-7.
            The time grows with the square of its number of digits. Rounding in
            float32 limits the error to about 1e-6 for 128×128 and 1e-5 for
            512×512.

    Images have the shape `(batch, H, W, 2)` and samples
    `(batch, coils, ..., 2)`, with one coil if there are no maps. Volumes have
    `(batch, D, H, W, 2)` and `(batch, coils, D, ..., 2)`; the axis D is not
    transformed. A stack of stars has this form after an inverse FFT along its
    partitions. For positions `(..., 3)` and a size `(D, H, W)`, all three axes
    are transformed.

    Raises:
        ValueError: If the positions are not finite or do not fit the size, or
            if an image or samples do not fit either.

    Example:

    >>> spokes = loupe_tf.trajectories.radial(shots=16, samples=64)
    >>> scan = loupe_tf.operators.NonUniform(
    ...     spokes.positions[None], (32, 32), maps
    ... )
    >>> samples = scan.forward(image)
    >>> tuple(samples.shape)
    (1, 4, 16, 64, 2)
    """

    def __init__(self, positions, size, maps=None, accuracy=1e-5):
        self.size = tuple(check_integer("size", n, at_least=1) for n in size)
        """Tuple, size of the image."""
        self.positions = _standardize(positions, self.size)
        """Array or tensor, the positions."""
        self.maps = maps
        self.accuracy = accuracy
        axes = len(self.size)
        flat = (self.positions.shape[0], -1, axes)
        if None in flat:
            flat = (ops.shape(self.positions)[0], -1, axes)
        fixed = isinstance(self.positions, np.ndarray)
        flat = (np if fixed else ops).reshape(self.positions, flat)
        self.gridding = Gridding(flat, self.size, accuracy)
        """`Gridding`, the interpolation."""
        scale = 1 / math.sqrt(math.prod(self.size))
        self.scale = (scale / self.gridding.taper).astype("float32")
        """Array, the factor of each pixel before the FFT."""

    def with_maps(self, maps):
        """Return the operator with other maps; its weights are shared."""
        other = copy.copy(self)
        other.maps = maps
        return other

    def forward(self, image):
        """Return the samples of an image."""
        image = self._check_image(image)
        coils = self._for_each_trajectory(
            expand_coils(image, self.maps), "image"
        )
        axes, gridding = len(self.size), self.gridding
        lead = ops.shape(coils)[: -1 - axes]
        parts = [
            self._embed(
                ops.multiply(ops.reshape(part, (-1, *self.size)), self.scale)
            )
            for part in fourier.split(coils)
        ]
        grid = ops.stack(transform(*parts, axes))
        # From (2, examples · rest, ...) to (examples, points, 2 · rest).
        points = math.prod(gridding.shape)
        grid = ops.reshape(grid, (2, gridding.examples, -1, points))
        grid = ops.transpose(grid, (1, 3, 0, 2))
        rest = ops.shape(grid)[-1]
        grid = ops.reshape(grid, (gridding.examples, points, 2 * rest))
        values = gridding.interpolate(grid)
        values = ops.reshape(values, (*ops.shape(values)[:2], 2, rest))
        values = ops.transpose(values, (2, 0, 3, 1))
        shape = (2, *lead, *ops.shape(self.positions)[1:-1])
        return ops.moveaxis(ops.reshape(values, shape), 0, -1)

    def adjoint(self, samples):
        """Apply the adjoint of `forward`: `x = S^H F^H y`.

        With weights from `density_compensation`, `adjoint(weights * samples)`
        is close to an image.
        """
        samples = self._for_each_trajectory(
            self._check_samples(samples), "samples"
        )
        axes, gridding = len(self.size), self.gridding
        inner = len(self.positions.shape) - 2
        lead = ops.shape(samples)[: -1 - inner]
        values = ops.moveaxis(samples, -1, 0)
        values = ops.reshape(
            values, (2, gridding.examples, -1, gridding.samples)
        )
        values = ops.transpose(values, (1, 3, 0, 2))
        rest = ops.shape(values)[-1]
        values = ops.reshape(values, (*ops.shape(values)[:2], 2 * rest))
        grid = gridding.spread(values)
        grid = ops.reshape(grid, (*ops.shape(grid)[:2], 2, rest))
        grid = ops.transpose(grid, (2, 0, 3, 1))
        real, imag = ops.unstack(ops.reshape(grid, (2, -1, *gridding.shape)), 2)
        # The inverse, as in `fourier.ifft2`.
        imag, real = transform(imag, real, axes)
        real, imag = (
            ops.reshape(
                ops.multiply(self._crop(part), self.scale),
                (*lead, *self.size),
            )
            for part in (real, imag)
        )
        return combine_coils(fourier.join(real, imag), self.maps)

    def normal(self, image):
        """Return `adjoint(forward(image))`.

        Where it is applied many times, `loupe_tf.operators.Toeplitz` is faster.
        """
        return self.adjoint(self.forward(image))

    def _for_each_trajectory(self, x, name):
        """Repeat one example for several trajectories; refuse other numbers."""
        examples, batch = self.positions.shape[0], x.shape[0]
        if examples in (1, None, batch):
            return x
        if batch is None:
            # One image, or as many as trajectories; others do not fit below.
            return ops.repeat(x, examples // ops.shape(x)[0], axis=0)
        if batch == 1:
            return ops.repeat(x, examples, axis=0)
        raise invalid(
            name,
            f"a batch of 1 or {examples}, as many as trajectories",
            found=f"a batch of {batch}",
        )

    def _embed(self, image):
        """Place images on a larger grid, with their centre at index 0."""
        for axis, (n, points) in enumerate(zip(self.size, self.gridding.shape)):
            first, second = ops.split(image, [n // 2], axis + 1)
            zeros = [(0, 0)] * len(image.shape)
            zeros[axis + 1] = (0, points - n)
            image = ops.concatenate([ops.pad(second, zeros), first], axis + 1)
        return image

    def _crop(self, grid):
        """Apply the adjoint of `_embed`."""
        for axis, (n, points) in enumerate(zip(self.size, self.gridding.shape)):
            places = [n - n // 2, points - n // 2]
            second, _, first = ops.split(grid, places, axis + 1)
            grid = ops.concatenate([first, second], axis + 1)
        return grid

    def _check_image(self, image):
        image = ops.cast(image, "float32")
        size = tuple(image.shape[-1 - len(self.size) : -1])
        if image.shape[-1] != 2 or size != self.size:
            text = ", ".join(map(str, self.size))
            raise invalid(
                "image",
                f"shape (batch, ..., {text}, 2), the size of the operator",
                found=f"shape={tuple(image.shape)}",
            )
        return image

    def _check_samples(self, samples):
        samples = ops.cast(samples, "float32")
        expected = tuple(self.positions.shape[1:-1])
        found = tuple(samples.shape[-1 - len(expected) : -1])
        if samples.shape[-1] != 2 or any(
            None not in pair and pair[0] != pair[1]
            for pair in zip(expected, found, strict=True)
        ):
            text = ", ".join(map(str, expected))
            raise invalid(
                "samples",
                f"shape (batch, coils, ..., {text}, 2), one sample for each "
                "position",
                found=f"shape={tuple(samples.shape)}",
            )
        return samples


def _standardize(positions, size):
    """Return fixed positions as a float64 array, others as a tensor."""
    if isinstance(positions, np.ndarray | list | tuple):
        positions = np.asarray(positions, "float64")
        if not np.isfinite(positions).all():
            raise invalid("positions", "finite positions", found="NaN or inf")
    else:
        positions = ops.convert_to_tensor(positions, "float32")
    axes = len(size)
    if axes not in (2, 3):
        raise invalid("size", "(H, W), or (D, H, W)", size)
    if len(positions.shape) < 3 or positions.shape[-1] != axes:
        raise invalid(
            "positions",
            f"shape (1 or batch, ..., {axes}), for a size of {axes} axes",
            found=f"shape={tuple(positions.shape)}",
        )
    return positions


def transform(real, imag, axes):
    """Compute the Fourier transform of the last axes, not normalised."""
    real, imag = ops.fft2((real, imag))
    if axes == 2:
        return real, imag
    # No backend has one for three axes in `keras.ops`.
    parts = (ops.moveaxis(part, -3, -1) for part in (real, imag))
    return [ops.moveaxis(part, -1, -3) for part in ops.fft(tuple(parts))]
