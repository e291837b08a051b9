import numpy as np
from benchmark_utils.problem import make_mask, measure
from benchopt import BaseDataset


class Dataset(BaseDataset):
    """Smooth ellipses and edges, 64×64."""

    name = "phantom"
    parameters = {
        "mask": ["gaussian", "learned"],
        "acceleration": [4],
        "noise": [0.01],
    }
    test_config = {"mask": "gaussian"}

    def get_data(self):
        y, x = np.mgrid[-1:1:64j, -1:1:64j]
        truth = (np.hypot(x / 0.8, y / 0.9) < 0.9) * (0.6 + 0.2 * np.cos(3 * x))
        for a, b, value in ((0.3, 0.2, 0.3), (-0.3, 0.1, -0.4), (0, -0.5, 0.2)):
            truth = truth + value * (np.hypot(x - a, y - b) < 0.2)
        truth = np.clip(truth, 0, None) / truth.max()
        mask = make_mask(self.mask, self.acceleration, truth.shape)
        kspace = measure(truth, mask, self.noise, seed=0)
        return {"kspace": kspace, "mask": mask, "truth": truth}
