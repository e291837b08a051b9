import numpy as np
import sigpy.mri
from benchmark_utils.problem import WAVELET
from benchopt import BaseSolver


class Solver(BaseSolver):
    """sigpy's `L1WaveletRecon`, as it comes, in double precision."""

    name = "sigpy-wavelet"
    sampling_strategy = "iteration"
    test_config = {"objective": {"regularizer": "wavelet"}}
    requirements = ["pip::sigpy"]

    def set_objective(self, kspace, mask, regularizer, weight, strength):
        self.kspace, self.weight = kspace[None], weight
        self.mask = mask.astype(float)

    def skip(self, regularizer, **_):
        return regularizer != "wavelet", "for wavelets"

    def run(self, iterations):
        np.random.seed(0)
        self.image = sigpy.mri.app.L1WaveletRecon(
            self.kspace,
            np.ones(self.kspace.shape, complex),
            self.weight,
            weights=self.mask,
            wave_name=WAVELET,
            max_iter=iterations + 1,
            show_pbar=False,
        ).run()

    def get_result(self):
        return {"image": self.image}
