"""Interpolation between a Cartesian grid and samples at any position."""

import functools
import math

import numpy as np
from keras import ops
from scipy.fft import next_fast_len

from loupe_tf.checks import check_number

OVERSAMPLING = 2
# The kernel's β for each grid point of its width: where the error is smallest
# for images of white noise, at this oversampling.
SHAPES = {2: 1.90, 3: 2.11, 4: 2.21, 5: 2.26, 6: 2.29, 7: 2.30, 8: 2.31}
# For float32, a wider kernel is not more accurate.
WIDEST = 8
# √ has an infinite derivative at 0, where the kernel ends.
TINY = 1e-6


class Gridding:
    """Interpolate a periodic grid at any position; spread samples onto it.

    With G grid points per axis, values f of the grid, and one sample at the
    position k in cycles,

        interpolate:  y_m = Σ_l φ(G k_m - l) f_l
        spread:       f_l = Σ_m φ(G k_m - l) y_m

    in each axis, l modulo G. Each is the transpose of the other. The kernel is
    the exponential of a semicircle, `φ(u) = exp(β (√(1 - (2u / J)²) - 1))` for
    |u| < J / 2 (Barnett, Magland and af Klinteberg, "A parallel nonuniform fast
    Fourier transform library based on an 'exponential of semicircle' kernel",
    SIAM J. Sci. Comput., 2019). Unlike that of Kaiser and Bessel, every backend
    can compile it.

    Args:
        positions: `(1 or batch, samples, axes)`. A NumPy array is fixed: its
            weights are computed now, in double precision, and its samples are
            sorted by grid point, which keeps memory accesses close together.
            A tensor may be learned: results are differentiable in it.
        size: Tuple, size of the image. The grid is twice as large, or a little
            more where that makes the FFT fast.
        accuracy: Float, the relative error that is asked for. It determines the
            width J of the kernel: 4 grid points for 1e-3, 6 for 1e-5.
    """

    def __init__(self, positions, size, accuracy):
        self.width = kernel_width(accuracy)
        self.shape = tuple(next_fast_len(OVERSAMPLING * n) for n in size)
        """Size of the grid."""
        self.taper = 1.0
        """Array, the Fourier transform of the kernel at each pixel."""
        for n, points in zip(size, self.shape):
            row = _transformed_kernel(n, points, self.width)
            self.taper = np.multiply.outer(self.taper, row)
        fixed = isinstance(positions, np.ndarray)
        xp = np if fixed else ops
        # The batch, and for tensors the samples, may be unknown in a graph.
        self.examples, self.samples = (
            positions.shape if fixed else ops.shape(positions)
        )[:2]
        shape = (self.examples, self.samples)
        # Tensors are float32, whatever Keras's own float is.
        index = xp.zeros((1, 1, 1), "int32")
        weights = xp.ones((1, 1, 1), "float64" if fixed else "float32")
        for axis, points in enumerate(self.shape):
            taps, values = _taps(positions[..., axis], points, self.width, xp)
            # All pairs of what the axes before it have and its own J.
            index = points * index[..., None] + taps[..., None, :]
            weights = weights[..., None] * values[..., None, :]
            taps = self.width ** (axis + 1)
            index = xp.reshape(index, (*shape, taps))
            weights = xp.reshape(weights, (*shape, taps))
        self._order = self._places = None
        if fixed:
            index, weights = self._sort(index, weights)
        if positions.shape[0] != 1:  # Each example has a grid of its own.
            offset = xp.arange(self.examples, dtype="int32")
            index = index + math.prod(self.shape) * offset[:, None, None]
        self._index = xp.reshape(index, (-1, taps))
        self._weights = xp.reshape(weights, (-1, taps))

    def interpolate(self, grid):
        """Interpolate at the positions of the samples.

        Args:
            grid: Tensor `(1 or batch, points, channels)`; `points` is the
                number of points of the grid in row-major order, with the
                origin at index 0.

        Returns:
            Tensor `(1 or batch, samples, channels)`.
        """
        channels = ops.shape(grid)[-1]
        grid = ops.reshape(grid, (-1, channels))
        values = ops.take(grid, self._index, axis=0)
        weights = ops.convert_to_tensor(self._weights, "float32")
        values = ops.einsum("mtc,mt->mc", values, weights)
        if self._order is not None:
            values = ops.take(values, self._places, axis=0)
        return ops.reshape(values, (self.examples, self.samples, channels))

    def spread(self, values):
        """Apply the transpose of `interpolate`; same shapes."""
        channels = ops.shape(values)[-1]
        values = ops.reshape(values, (-1, 1, channels))
        if self._order is not None:
            values = ops.take(values, self._order, axis=0)
        weights = ops.convert_to_tensor(self._weights, "float32")
        values = values * ops.expand_dims(weights, -1)
        points = math.prod(self.shape)
        grid = ops.segment_sum(
            ops.reshape(values, (-1, channels)),
            ops.reshape(ops.convert_to_tensor(self._index), (-1,)),
            num_segments=self.examples * points,
        )
        return ops.reshape(grid, (self.examples, points, channels))

    def matrix(self):
        """Return `interpolate` as a sparse matrix, for solvers in NumPy.

        Returns:
            `scipy.sparse.csr_array` `(samples, points)`, float32, for fixed
            positions of one example.
        """
        from scipy.sparse import csr_array  # Few need it.

        taps = self._index.shape[1]
        starts = np.arange(0, self._index.size + 1, taps)
        entries = self._weights.ravel(), self._index.ravel(), starts
        shape = len(self._index), math.prod(self.shape)
        return csr_array(entries, shape)[self._places]

    def _sort(self, index, weights):
        """Sort the samples of each example by grid point."""
        order = np.argsort(index[..., 0], axis=1, kind="stable")
        index = np.take_along_axis(index, order[..., None], 1)
        weights = np.take_along_axis(weights, order[..., None], 1)
        offset = self.samples * np.arange(self.examples)[:, None]
        self._order = (order + offset).ravel().astype("int32")
        self._places = np.argsort(self._order).astype("int32")
        return index, weights.astype("float32")


def kernel_width(accuracy):
    """Return the width J of the kernel, in grid points, for an accuracy."""
    check_number("accuracy", accuracy, at_least=1e-7, at_most=0.1)
    return min(math.ceil(-math.log10(accuracy) - 1e-9) + 1, WIDEST)


def _kernel(distance, width, xp):
    """Return φ; `distance` is in half widths, so φ is 0 beyond 1."""
    beta = width * SHAPES[width]
    inside = xp.maximum(1 - distance * distance, TINY)
    value = xp.exp(beta * (xp.sqrt(inside) - 1))
    return xp.where(xp.abs(distance) < 1, value, xp.zeros_like(value))


def _taps(position, points, width, xp):
    """Return the grid points under the kernel, and its value there.

    Args:
        position: `(...)`, in cycles.
        points: Integer, number of points of the grid.
        width: Integer J.
        xp: `numpy` or `keras.ops`.

    Returns:
        Two arrays or tensors `(..., J)`: int32 and float.
    """
    constant = ops.stop_gradient if xp is ops else np.asarray
    at = points * (position - constant(xp.round(position)))
    first = constant(xp.floor(at - width / 2)) + 1
    taps = xp.expand_dims(first, -1) + xp.arange(width, dtype=at.dtype)
    distance = (xp.expand_dims(at, -1) - taps) * (2 / width)
    whole = taps.astype("int32") if xp is np else ops.cast(taps, "int32")
    return xp.mod(whole, points), _kernel(distance, width, xp)


def _transformed_kernel(n, points, width):
    """Return the kernel's Fourier transform at the pixels of one axis.

    It is `∫ φ(u) exp(-2πi u r / G) du` for r = -(n // 2), ..., by the rule of
    Gauss and Legendre.
    """
    nodes, weights = _nodes()
    pixels = np.arange(n) - n // 2
    waves = np.cos(np.pi * width / points * np.outer(pixels, nodes))
    return width / 2 * waves @ (weights * _kernel(nodes, width, np))


@functools.cache  # It takes longer than all else here.
def _nodes():
    return np.polynomial.legendre.leggauss(200)
