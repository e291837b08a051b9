import keras
import numpy as np

from loupe_tf.checks import invalid
from loupe_tf.layers import OuterMask
from loupe_tf.samplers.learned import Learned, standardize_acceleration


@keras.saving.register_keras_serializable(package="loupe_tf")
class RowsAndColumns(Learned):
    """Points where a row and a column of two learned masks of lines meet.

    The layers are those of two `LearnedMask`s, with `_rows` and `_columns` at
    the end of their names, and `sampled_mask` (`OuterMask`).

    Args:
        acceleration: Float > 1, R, which is split between the two, so that
            their product is nearest to `H * W / R`; or a pair
            `(R of rows, R of columns)`.
        calibration: As that of `LearnedMask`; of a pair `(h, w)` the first is
            the number of rows, the second that of columns.
        estimator, slope, prob_slope, binarization: As those of `LearnedMask`.
        seed: Integer or `None`, as that of `LearnedMask` for the rows; the
            columns have the next two.

    Raises:
        ValueError: If an argument is invalid; when the mask is made, if it
            does not fit the size.
    """

    def __init__(
        self,
        acceleration,
        calibration="auto",
        estimator="relaxed",
        slope=None,
        prob_slope=5.0,
        binarization="exact",
        seed=None,
    ):
        super().__init__(
            calibration, estimator, slope, prob_slope, binarization, seed
        )
        self.acceleration = standardize_acceleration(acceleration)
        if isinstance(self.acceleration, tuple) and len(acceleration) != 2:
            raise invalid(
                "acceleration",
                "R, or a pair (R_rows, R_columns) for lines='both'",
                acceleration,
            )

    def __call__(self, reference):
        sizes = tuple(reference.shape[-3:-1])
        sparsities = None
        if isinstance(self.acceleration, tuple):
            sparsities = [1 / value for value in self.acceleration]
            asked = sparsities[0] * sparsities[1]
        else:
            asked = 1 / self.acceleration
        calibration = self._calibration(reference, asked, "both")
        if not isinstance(calibration, tuple):
            calibration = (calibration, calibration)
        if sparsities is None:
            least = [max(c or 0, 1) for c in calibration]
            sparsities = _split(sizes, asked, least)
        parts = [
            self._mask(
                reference,
                sparsity=sparsities[axis],
                calibration=calibration[axis],
                lines=lines,
                number=axis,
                suffix=f"_{lines}",
            )
            for axis, lines in enumerate(("rows", "columns"))
        ]
        return OuterMask(
            asked,
            None if calibration == (None, None) else calibration,
            name="sampled_mask",
        )(parts)

    def get_config(self):
        return {**super().get_config(), "acceleration": self.acceleration}


def _split(sizes, sparsity, least):
    """Shares of rows and columns whose product is nearest to the sparsity.

    The accelerations of both differ by no more than a factor of 2, where that
    is possible; of equal products the most even pair is taken.
    """
    height, width = sizes
    rows, columns = np.meshgrid(
        np.arange(least[0], height), np.arange(least[1], width), indexing="ij"
    )
    if not rows.size:
        raise invalid("calibration", f"fewer lines than {sizes}", tuple(least))
    uneven = np.abs(np.log2(rows / height) - np.log2(columns / width))
    away = np.abs(rows * columns - sparsity * height * width)
    order = np.lexsort((uneven.ravel(), away.ravel(), uneven.ravel() > 1))
    best = np.unravel_index(order[0], rows.shape)
    return [float(rows[best] / height), float(columns[best] / width)]
