"""The function to minimize, and the metrics of a reconstruction."""

import numpy as np
from benchmark_utils.problem import objective_value, psnr, zero_filled
from benchopt import BaseObjective


class Objective(BaseObjective):
    """Compressed sensing of one slice, one coil.

    With M the mask, F the orthonormal Fourier transform, y the samples and z
    the zero-filled image,

        f(x) = ½ ‖M F x - y‖² + λ R(x),    λ = strength · max |z|

    R is anisotropic total variation, cyclic at the border, or the sum of the
    magnitudes of Haar wavelets.
    """

    name = "MRI"
    min_benchopt_version = "1.7"
    requirements = ["pip::loupe-tf[reconstruction]"]
    parameters = {"regularizer": ["tv", "wavelet"], "strength": [0.01]}
    test_dataset_name = "phantom"

    def set_data(self, kspace, mask, truth):
        self.kspace, self.mask, self.truth = kspace, mask, truth
        largest = np.abs(zero_filled(kspace)).max()
        self.weight = self.strength * float(largest)

    def get_objective(self):
        return {
            "kspace": self.kspace,
            "mask": self.mask,
            "regularizer": self.regularizer,
            "weight": self.weight,
            "strength": self.strength,
        }

    def evaluate_result(self, image):
        return {
            "value": objective_value(
                image, self.kspace, self.mask, self.regularizer, self.weight
            ),
            "psnr": psnr(image, self.truth),
        }

    def get_one_result(self):
        return {"image": np.zeros(self.truth.shape, complex)}
