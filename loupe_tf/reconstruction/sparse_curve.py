import dataclasses

import numpy as np

from loupe_tf.checks import check_integer, check_number
from loupe_tf.reconstruction.curve_reconstructor import CurveReconstructor
from loupe_tf.reconstruction.sigpy_problem import curve_problems


@dataclasses.dataclass(frozen=True)
class SparseCurve(CurveReconstructor):
    """Base of compressed sensing of non-Cartesian scans.

    A subclass is a frozen dataclass, and `minimize` is its solver: a function
    of what `curve_problems` yields and the fields, in their order, that
    returns a complex image.
    """

    regularization: float
    iterations: int

    needs_sigpy = True

    def __post_init__(self):
        check_number("regularization", self.regularization, at_least=0)
        check_integer("iterations", self.iterations, at_least=1)

    def solve(self, scan, density, samples):
        settings = dataclasses.astuple(self)
        images = [
            self.minimize(*problem, *settings)
            for problem in curve_problems(scan, density, samples)
        ]
        return np.stack([np.real(images), np.imag(images)], axis=-1)
