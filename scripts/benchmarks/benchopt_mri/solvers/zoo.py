from benchopt import BaseSolver

from loupe_tf import zoo
from loupe_tf.reconstruction import Network


class Solver(BaseSolver):
    """A trained model of `loupe_tf.zoo`.

    It minimizes nothing, so its objective only says how far a good image may be
    from the minimum. Its time is that of one image, after a first call.
    """

    name = "zoo"
    sampling_strategy = "run_once"
    parameters = {"model": ["points_r4_unet", "points_r4_varnet"]}

    def set_objective(self, kspace, mask, regularizer, weight, strength):
        self.kspace, self.mask = kspace.astype("complex64"), mask
        self.network = Network(zoo.load(f"flair64_{self.model}"))

    def skip(self, kspace, **_):
        return kspace.shape != (64, 64), "for images of 64×64"

    def warm_up(self):
        self.run_once()

    def run(self, _):
        self.image = self.network(self.kspace, self.mask)

    def get_result(self):
        return {"image": self.image}
