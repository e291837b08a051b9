import numpy as np
from keras import ops

from loupe_tf.checks import check_number, invalid
from loupe_tf.operators import Cartesian, NonUniform, power_iteration


class TemperedPosterior:
    """The posterior of images given a measurement, tempered by a level s.

    With a measurement `y = A x + n`, where the noise has the standard deviation
    σ in the real and in the imaginary part of each sample, and the density p_s
    of images plus white noise of level s, its score is

        ∇ log p_s(x | y) = Aᴴ(y - A x) / (σ² + s²) + ∇ log p_s(x)

    (Ramzi et al., "Denoising score-matching for uncertainty quantification in
    inverse problems", 2020). It is that of the posterior for s → 0. The two
    terms are not weighed against each other: such a weight would change the
    posterior.

    Args:
        score: Callable from `[x, s]`, with `x` `(n, H, W, 2)` and `s`
            `(n, 1, 1, 1)`, to `∇ log p_s(x)`: a `ScoreNetwork`, a
            `GaussianScore`, or a function of your own.
        scan: Forward operator A, such as `loupe_tf.operators.Cartesian`.
        measurement: Tensor y `(batch, coils, ..., 2)`, as from `scan.forward`.
        sigma: Number ≥ 0, σ.

    Raises:
        ValueError: If an argument is invalid, or scan and score belong to
            images of different sizes.

    Several chains belong to each image: x is `(chains · batch, H, W, 2)`, and
    all images of a chain follow each other.
    """

    def __init__(self, score, scan, measurement, sigma):
        self.score = score
        self.scan = scan
        self.sigma = check_number("sigma", sigma, at_least=0)
        y = ops.convert_to_tensor(measurement, "float32")
        if not np.isfinite(ops.convert_to_numpy(y)).all():
            raise invalid("measurement", "finite samples", found="NaN or inf")
        self.adjoint = scan.adjoint(y)
        """Tensor `(batch, H, W, 2)`, the adjoint image Aᴴ y."""
        shape = tuple(self.adjoint.shape)
        power = getattr(score, "power", None)
        if power is not None and tuple(power.shape) != shape[-3:-1]:
            raise invalid(
                "score",
                f"a score of images of the size {shape[-3:-1]}, as of the scan",
                found=f"the size {tuple(power.shape)}",
            )
        self._shared = _is_shared(scan, shape[0])
        # The power iteration is a lower bound.
        values = power_iteration(scan.normal, shape)
        self.norm = 1.05 * float(ops.convert_to_numpy(ops.max(values)))
        """Float, an upper estimate of the largest eigenvalue of AᴴA."""

    @property
    def shape(self):
        """Tuple, shape of the adjoint image, `(batch, H, W, 2)`."""
        return tuple(self.adjoint.shape)

    def gradient(self, x, s):
        """Return `∇ log p_s(x | y)`.

        Args:
            x: Tensor `(chains · batch, H, W, 2)`.
            s: Scalar tensor, the level.
        """
        chains = x.shape[0] // self.shape[0]
        axes = len(self.shape)
        levels = ops.broadcast_to(s, (x.shape[0], *[1] * (axes - 1)))
        prior = self.score([x, levels])
        adjoint = ops.tile(self.adjoint, (chains, *[1] * (axes - 1)))
        data = adjoint - self._normal(x, chains)
        return data / (self.sigma**2 + ops.square(s)) + prior

    def steepness(self, s):
        """Return the largest curvature that `-log p_s(x | y)` can have.

        That of `-log p_s(x)` is at most 1 / s², whatever the images are.
        """
        s2 = ops.square(s)
        return 1.0 / s2 + self.norm / (self.sigma**2 + s2)

    def _normal(self, x, chains):
        """Apply AᴴA, whose masks and maps may differ between images."""
        if self._shared:
            return self.scan.normal(x)
        x = ops.map(self.scan.normal, ops.reshape(x, (chains, *self.shape)))
        return ops.reshape(x, (-1, *self.shape[1:]))


def _is_shared(scan, batch):
    """Whether an operator is the same for all images."""
    if batch == 1:
        return True
    if not isinstance(scan, Cartesian | NonUniform):
        return False
    parts = [
        getattr(scan, name, None) for name in ("mask", "maps", "positions")
    ]
    return all(part is None or part.shape[0] == 1 for part in parts)
