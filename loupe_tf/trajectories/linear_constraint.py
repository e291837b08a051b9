"""Linear equations that the control points of all shots obey."""

import numpy as np

from loupe_tf.checks import check_integer, invalid


class LinearConstraint:
    """Linear equations `A c = t` for the control points c of each shot.

    Args:
        matrix: Array A `(equations, samples)`.
        values: Array t `(equations, axes)`.

    Raises:
        ValueError: If the equations contradict each other.
    """

    def __init__(self, matrix, values):
        self.matrix = np.asarray(matrix, dtype=np.float64)
        self.values = np.asarray(values, dtype=np.float64)
        self.inverse = np.linalg.pinv(self.matrix, rcond=1e-10)
        """Array, the pseudo-inverse of A."""
        met = self.matrix @ self.inverse @ self.values
        if not np.allclose(met, self.values, atol=1e-9):
            raise invalid(
                "pins",
                "equations that one curve can meet",
                found="equations that contradict each other",
            )

    def nearest(self, curves, xp):
        """Return the closest curves that obey: `c + A⁺ (t - A c)`.

        Args:
            curves: Array or tensor `(shots, samples, axes)`.
            xp: `numpy` or `keras.ops`.
        """
        dtype = curves.dtype
        matrix, inverse, values = (
            xp.asarray(part, dtype) if xp is np else xp.cast(part, dtype)
            for part in (self.matrix, self.inverse, self.values)
        )
        return curves + xp.matmul(inverse, values - xp.matmul(matrix, curves))

    def constant(self):
        """Return the one point `(axes,)` where a resting curve obeys.

        Returns:
            Array, or `None` if it may rest anywhere.

        Raises:
            ValueError: If it may rest nowhere.
        """
        sums = self.matrix.sum(axis=1)
        square = sums @ sums
        if square < 1e-12:
            point = None if not self.values.any() else np.inf
        else:
            point = sums @ self.values / square
        if point is not None and not np.allclose(
            np.outer(sums, point), self.values, atol=1e-9
        ):
            raise invalid("pins", "pins at one point", found="several points")
        return point


class Pins(LinearConstraint):
    """Samples that all shots take at a given position, such as DC at the echo.

    Args:
        samples: Integer, number of samples in each shot.
        pins: Dictionary from the index of a sample to its position.

    Example:

    >>> pins = Pins(256, {128: (0, 0)})
    """

    def __init__(self, samples, pins):
        rows = []
        for index in pins:
            index = check_integer("pins", index, at_least=0)
            if index >= samples:
                raise invalid("pins", f"indices below {samples}", pins)
            row = np.zeros(samples)
            row[index] = 1
            if 0 < index < samples - 1:  # See `control_points`.
                row[index - 1 : index + 2] = np.array([1, 6, 1]) / 8
            rows.append(row)
        super().__init__(rows, [np.asarray(p) for p in pins.values()])
