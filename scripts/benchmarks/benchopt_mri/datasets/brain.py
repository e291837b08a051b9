import numpy as np
from benchmark_utils.problem import make_mask, measure
from benchopt import BaseDataset
from nilearn import datasets as nilearn_datasets

from loupe_tf.datasets.resize import center_crop_or_pad, resize_kspace


class Dataset(BaseDataset):
    """A slice of the MNI152 template that nilearn brings along, 64×64."""

    name = "brain"
    requirements = ["pip::nilearn"]
    parameters = {
        "mask": ["learned"],
        "acceleration": [4],
        "noise": [0.01],
    }

    def get_data(self):
        template = nilearn_datasets.load_mni152_template(resolution=2)
        truth = template.get_fdata(dtype="float32").T[45, ::-1]
        truth = center_crop_or_pad(truth[None], (112, 112))
        truth = np.clip(resize_kspace(truth, (64, 64))[0], 0, None)
        truth = truth / truth.max()
        mask = make_mask(self.mask, self.acceleration, truth.shape)
        kspace = measure(truth, mask, self.noise, seed=0)
        return {"kspace": kspace, "mask": mask, "truth": truth}
