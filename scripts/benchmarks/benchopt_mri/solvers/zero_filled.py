from benchmark_utils.problem import zero_filled
from benchopt import BaseSolver


class Solver(BaseSolver):
    """The zero-filled image, where the others begin."""

    name = "zero-filled"
    sampling_strategy = "run_once"

    def set_objective(self, kspace, mask, regularizer, weight, strength):
        self.kspace = kspace

    def run(self, _):
        self.image = zero_filled(self.kspace)

    def get_result(self):
        return {"image": self.image}
