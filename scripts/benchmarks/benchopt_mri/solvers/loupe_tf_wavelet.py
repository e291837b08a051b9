from benchmark_utils.problem import WAVELET
from benchopt import BaseSolver

from loupe_tf.reconstruction import WaveletL1


class Solver(BaseSolver):
    """`loupe_tf.reconstruction.WaveletL1`, with cycle spinning.

    It thresholds the wavelets of an image that is shifted anew each time, so
    it does not minimize the objective: its image has fewer blocks.
    """

    name = "loupe_tf-wavelet"
    sampling_strategy = "iteration"
    test_config = {"objective": {"regularizer": "wavelet"}}
    requirements = ["pip::loupe-tf[reconstruction]"]

    def set_objective(self, kspace, mask, regularizer, weight, strength):
        self.kspace, self.mask, self.strength = kspace, mask, strength

    def skip(self, regularizer, **_):
        return regularizer != "wavelet", "for wavelets"

    def run(self, iterations):
        method = WaveletL1(self.strength, iterations + 1, WAVELET)
        self.image = method(self.kspace, self.mask)

    def get_result(self):
        return {"image": self.image}
