import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class PosteriorSamples:
    """Samples of the posterior of images, as `loupe_tf.posterior.sample` draws.

    Attributes:
        samples: Array `(chains, batch, H, W, 2)`, one image of each chain.
        sigma: Float, the noise level σ of the real and the imaginary part.
        sigma_source: String, `"given"` or where σ was estimated from.
        acceptance: Array `(chains, batch)`, the mean share of accepted
            proposals, or `None` for a method without a Metropolis test.
    """

    samples: np.ndarray
    sigma: float
    sigma_source: str
    acceptance: np.ndarray | None = None

    @property
    def mean(self):
        """Array `(batch, H, W, 2)`, the estimate of least squared error."""
        return self.samples.mean(axis=0)

    @property
    def std(self):
        """Array `(batch, H, W, 1)`, the standard deviation of each pixel.

        Its square is the sum of the variances of the real and the imaginary
        part, with Bessel's correction.
        """
        variance = self.samples.var(axis=0, ddof=1, dtype="float64")
        return np.sqrt(variance.sum(-1, keepdims=True)).astype("float32")
