import numpy as np
import sigpy.mri
from benchopt import BaseSolver
from benchopt.stopping_criterion import SufficientProgressCriterion


class Solver(BaseSolver):
    """sigpy's `TotalVariationRecon`, as it comes, in double precision."""

    name = "sigpy-tv"
    sampling_strategy = "iteration"
    # The objective of primal-dual methods rises and falls at first.
    stopping_criterion = SufficientProgressCriterion(
        patience=5, eps=1e-9, strategy="iteration"
    )
    requirements = ["pip::sigpy"]

    def set_objective(self, kspace, mask, regularizer, weight, strength):
        self.kspace, self.weight = kspace[None], weight
        self.mask = mask.astype(float)

    def skip(self, regularizer, **_):
        return regularizer != "tv", "for total variation"

    def get_next(self, stop_val):
        return max(stop_val + 1, 2 * stop_val)

    def run(self, iterations):
        # Its power iteration starts from these numbers.
        np.random.seed(0)
        self.image = sigpy.mri.app.TotalVariationRecon(
            self.kspace,
            np.ones(self.kspace.shape, complex),
            self.weight,
            weights=self.mask,
            max_iter=iterations + 1,
            show_pbar=False,
        ).run()

    def get_result(self):
        return {"image": self.image}
