from benchopt import BaseSolver
from benchopt.stopping_criterion import SufficientProgressCriterion

from loupe_tf.reconstruction import TotalVariation


class Solver(BaseSolver):
    """`loupe_tf.reconstruction.TotalVariation`.

    It has sigpy's operators, and iterations of its own. It takes and returns
    single precision, and counts in double after some hundred iterations.
    """

    name = "loupe_tf-tv"
    sampling_strategy = "iteration"
    # The objective of primal-dual methods rises and falls at first.
    stopping_criterion = SufficientProgressCriterion(
        patience=10, eps=1e-9, strategy="iteration"
    )
    requirements = ["pip::loupe-tf[reconstruction]"]

    def set_objective(self, kspace, mask, regularizer, weight, strength):
        self.kspace, self.mask, self.strength = kspace, mask, strength

    def skip(self, regularizer, **_):
        return regularizer != "tv", "for total variation"

    def get_next(self, stop_val):
        return max(stop_val + 1, 2 * stop_val)

    def run(self, iterations):
        method = TotalVariation(self.strength, iterations + 1)
        self.image = method(self.kspace, self.mask)

    def get_result(self):
        return {"image": self.image}
