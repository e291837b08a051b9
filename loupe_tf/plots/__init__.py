"""The figures of a training script: masks, curves, reconstructions.

Each function returns a `matplotlib.figure.Figure`, ready for
`figure.savefig(path)`, for `loupe_tf.report.figure` or for TensorBoard. The
functions do not use pyplot, so they work without a display, in threads and in
callbacks. With `figure=`, a function draws into an existing figure or
sub-figure:

```python
both = matplotlib.figure.Figure(figsize=(12, 4), layout="constrained")
left, right = both.subfigures(1, 2)
loupe_tf.plots.mask(mask, figure=left)
loupe_tf.plots.probability_histogram(probability, figure=right)
```
"""

from loupe_tf.plots.image_figures import (
    reconstruction_groups,
    reconstructions,
)
from loupe_tf.plots.mask_figures import (
    mask,
    mask_comparison,
    mask_description,
    masks,
    probability_histogram,
)
from loupe_tf.plots.overview import overview
from loupe_tf.plots.posterior_figures import posterior
from loupe_tf.plots.training_figures import training_curves
from loupe_tf.plots.trajectory_figures import trajectory

__all__ = [
    "mask",
    "mask_comparison",
    "mask_description",
    "masks",
    "overview",
    "posterior",
    "probability_histogram",
    "reconstruction_groups",
    "reconstructions",
    "training_curves",
    "trajectory",
]
