"""Given points whose parameters are chosen on validation images."""

import itertools

from experiments.simulated_scan import scores
from loupe_tf import masks

CANDIDATES = {
    "tuned_gaussian": [
        {"std": std} for std in (0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6)
    ],
    "tuned_poisson_disc": [
        {"growth": growth, "corners": corners}
        for growth, corners in itertools.product(
            (0.0, 1.0, 2.0, 4.0, 8.0, 16.0), (True, False)
        )
    ],
}
"""Parameters that are tried, by name of the mask."""


def choose(name, size, rate, seed, method, part, coils, settings, noise=0.0):
    """Choose the parameters of a pattern for a method.

    The regularization is chosen for the pattern with its defaults, then the
    parameters with this regularization, then the regularization again.

    Args:
        name: String, a key of `CANDIDATES`.
        size: Tuple `(H, W)`.
        rate: Float, the acceleration.
        seed: Integer, the seed of all masks that are tried.
        method: String, a key of `loupe_tf.evaluation.CLASSICAL`.
        part: `loupe_tf.datasets.Slices`, the validation images.
        coils: Integer, see `experiments.simulated_scan.measure`.
        settings: Dict with `regularizations` and `tuning_slices`.
        noise: Float, see `experiments.simulated_scan.noisy`.

    Returns:
        A tuple: the mask, the reconstructor, and a dict for the record.
    """
    make = getattr(masks, name.removeprefix("tuned_"))
    region = masks.default_calibration(size, rate)

    def judged(regularizations, **parameters):
        mask = make(size, rate, calibration=region, seed=seed, **parameters)
        found = scores(
            method,
            *(mask, part, coils, 1),
            regularizations,
            settings["tuning_slices"],
            noise,
        )
        return mask, *found

    _, first, _ = judged(settings["regularizations"])
    # One regularization has one score.
    tried = [
        (*judged([first.regularization], **parameters)[2].values(), parameters)
        for parameters in CANDIDATES[name]
    ]
    _, chosen = max(tried, key=lambda pair: pair[0])
    mask, reconstructor, _ = judged(settings["regularizations"], **chosen)
    record = {
        "regularization": reconstructor.regularization,
        "chosen": chosen,
        "tried": [[parameters, round(psnr, 3)] for psnr, parameters in tried],
    }
    return mask, reconstructor, record
