from benchmark_utils.problem import WAVELET
from benchopt import BaseSolver

from loupe_tf.reconstruction import WaveletL1


class Solver(BaseSolver):
    """`loupe_tf.reconstruction.WaveletL1`, with cycle spinning and without.

    With it, the wavelets of an image that is shifted anew each time are
    thresholded: it minimizes no fixed objective, and its image has fewer
    blocks. Without it, it minimizes the objective, in single precision.
    """

    name = "loupe_tf-wavelet"
    parameters = {"cycle_spinning": [False, True]}
    sampling_strategy = "iteration"
    test_config = {"objective": {"regularizer": "wavelet"}}
    requirements = ["pip::loupe-tf[reconstruction]"]

    def set_objective(self, kspace, mask, regularizer, weight, strength):
        self.kspace, self.mask, self.strength = kspace, mask, strength

    def skip(self, regularizer, **_):
        return regularizer != "wavelet", "for wavelets"

    def run(self, iterations):
        method = WaveletL1(
            self.strength, iterations + 1, WAVELET, self.cycle_spinning
        )
        self.image = method(self.kspace, self.mask)

    def get_result(self):
        return {"image": self.image}
