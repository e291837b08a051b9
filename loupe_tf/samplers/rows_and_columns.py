import keras
import numpy as np

from loupe_tf.checks import invalid
from loupe_tf.layers import OuterMask
from loupe_tf.samplers.learned import Learned, standardize_acceleration


@keras.saving.register_keras_serializable(package="loupe_tf")
class RowsAndColumns(Learned):
    """Points where a row and a column of two learned masks of lines meet.

    The layers are those of two `LearnedMask`s, with names that end in `_rows`
    and `_columns`, and `sampled_mask` (`OuterMask`).

    Args:
        acceleration: Float R > 1, or a pair `(R of rows, R of columns)`. A
            single R is split such that the number of rows times the number of
            columns is nearest to `H * W / R`.
        calibration: As for `LearnedMask`. A pair `(h, w)` is the number of
            rows and the number of columns.
        estimator, slope, prob_slope, binarization: As for `LearnedMask`.
        seed: Integer or `None`. The rows use it as a `LearnedMask` does; the
            columns use the next two seeds.

    Raises:
        ValueError: If an argument is invalid, or, when the mask is made, if it
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
    """Return shares of rows and columns with a product near the sparsity.

    If possible, the two accelerations differ by no more than a factor of 2.
    Among equally near products, the most even pair is taken.
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
