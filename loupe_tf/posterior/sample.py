import warnings

import numpy as np
from keras import ops

from loupe_tf.checks import check_integer, check_number, invalid
from loupe_tf.posterior.chains import Chains, run
from loupe_tf.posterior.estimate_noise import estimate_noise
from loupe_tf.posterior.langevin import Langevin
from loupe_tf.posterior.levels import standardize_levels, warn_of_last
from loupe_tf.posterior.posterior_samples import PosteriorSamples
from loupe_tf.posterior.tempered import TemperedPosterior

# A ratio of the scales of scan and prior that calls for a warning.
FACTOR = 3


def sample(
    score,
    scan,
    measurement,
    sigma=None,
    method=None,
    levels=None,
    final=None,
    chains=8,
    seed=0,
    file=None,
    progress=False,
    noise_scan=None,
):
    """Draw samples of the posterior of images, given their measurement.

    Chains start as noise of the first level. At each level they do the steps of
    the method on the tempered posterior (`TemperedPosterior`); the level then
    falls. At the end, the probability flow removes the noise that is left.
    Each chain gives one sample, and chains are independent.

    The loop over the steps of a level is compiled.

    Args:
        score: Callable from `[x, s]` to the score of images with noise of level
            s; see `TemperedPosterior`. If it has an attribute `levels`, a pair
            (smallest, largest), this is the range in which it is trained.
        scan: Forward operator with `adjoint` and `normal`, such as
            `loupe_tf.operators.Cartesian` or `NonUniform`. Its norm is
            estimated.
        measurement: Array `(batch, coils, ..., 2)`, what the operator measures,
            in the unit of the images of the score.
        sigma: Number ≥ 0, standard deviation of the noise in the real and in
            the imaginary part of each sample. `None` estimates it from
            `noise_scan`, or else from the corners of Cartesian k-space
            (`estimate_noise`), and the result says so.
        method: `Langevin` or `HMC`. Defaults to `Langevin()`.
        levels: Falling noise levels, see `noise_levels`. By default 60 in the
            range of the score, down to a fifth of `sigma`. If the last is above
            half of `sigma`, measured k-space comes out too certain, and a
            warning says so.
        final: Number, the last level at which the probability flow asks the
            score; from there one step goes to 0. Defaults to a third of the
            last level within the range of the score, and to the last level if
            that is not known.
        chains: Integer ≥ 2, samples of each image.
        seed: Integer ≥ 0.
        file: (Optional) path of an `.npz` file that keeps the state after each
            level. The same call goes on from there, with the same result as if
            it had not been stopped.
        progress: Boolean. Whether to show a progress bar.
        noise_scan: (Optional) array of any shape, what the scanner measures
            without a pulse, in the unit of the measurement.

    Returns:
        `PosteriorSamples`.

    Raises:
        ValueError: If an argument is invalid, levels are outside the range of
            the score, or the file belongs to other settings.
        FloatingPointError: If a chain diverges.

    Example:

    >>> prior = loupe_tf.layers.GaussianScore(np.ones((32, 32)))
    >>> scan = loupe_tf.operators.Cartesian()
    >>> levels = loupe_tf.posterior.noise_levels(1, 0.05, count=10)
    >>> kspace = np.zeros((1, 1, 32, 32, 2))
    >>> found = loupe_tf.posterior.sample(
    ...     prior, scan, kspace, sigma=0.1, levels=levels
    ... )
    >>> found.samples.shape, found.std.shape
    ((8, 1, 32, 32, 2), (1, 32, 32, 1))
    """
    check_integer("chains", chains, at_least=2)
    check_integer("seed", seed, at_least=0)
    method = Langevin() if method is None else method
    sigma, source = find_sigma(sigma, scan, measurement, noise_scan)
    levels, final_levels = standardize_levels(levels, final, score, sigma)
    warn_of_last(float(levels[-1]), sigma)
    posterior = TemperedPosterior(score, scan, measurement, sigma)
    warn_of_scale(posterior)
    group = Chains(posterior, method, chains, seed)
    x, *state = run(group, levels, final_levels, file, progress)
    acceptance = method.acceptance(state)
    if acceptance is not None:
        acceptance = acceptance.reshape(chains, group.batch)
    samples = x.reshape(chains, group.batch, *group.image)
    return PosteriorSamples(samples, sigma, source, acceptance)


def find_sigma(sigma, scan, measurement, noise_scan=None):
    """Return the noise level, and where it is from."""
    if sigma is not None:
        if noise_scan is not None:
            raise invalid("noise_scan", "no noise scan beside `sigma`", "both")
        return check_number("sigma", sigma, at_least=0), "given"
    if noise_scan is not None:
        noise_scan = ops.convert_to_numpy(noise_scan)
        found = estimate_noise(noise_scan, corners=False)
        return found, "estimated from the noise scan"
    measurement = ops.convert_to_numpy(measurement)
    mask = getattr(scan, "mask", None)
    mask = None if mask is None else ops.convert_to_numpy(mask)
    if hasattr(scan, "positions"):
        # Spokes and spirals have no corners: there are no samples to count.
        measurement = np.zeros((1, 1, 1, 1, 2))
    found = estimate_noise(measurement, mask)
    return found, "estimated from the corners of k-space"


def warn_of_scale(posterior):
    """Warn if the scan has another unit than the images of a known prior."""
    power = getattr(posterior.score, "power", None)
    if power is None:
        return
    expected = np.sqrt(ops.convert_to_numpy(power).mean())
    adjoint = ops.convert_to_numpy(posterior.adjoint)
    again = ops.convert_to_numpy(posterior.scan.normal(posterior.adjoint))
    # As long as the first image of a gradient descent.
    energy = np.vdot(adjoint, again)
    length = np.vdot(adjoint, adjoint) / energy if energy > 0 else 0.0
    found = length * np.sqrt((adjoint**2).mean())
    if not expected / FACTOR <= found <= expected * FACTOR and found > 0:
        warnings.warn(
            f"The measurement belongs to images of the root mean square "
            f"{found:.3g}, but those of the prior have {expected:.3g}. Scale "
            "the measurement, and its noise, to the unit of the images that "
            "the prior was trained on.",
            stacklevel=3,
        )
