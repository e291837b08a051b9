"""Time samples of the posterior against the samplers of deepinv.

Every sampler takes the same number of evaluations of the same untrained score
network, for the same chains of the same undersampled scan, on one core:

- `loupe_tf.posterior.sample` with Langevin dynamics and HMC, on TensorFlow and
  on torch;
- deepinv's `ULA` and `SKRock`, whose denoiser is this network on torch.

    pip install deepinv torch
    python scripts/benchmarks/posterior_samples.py
    python scripts/benchmarks/posterior_samples.py --size 32 --evaluations 60

Each sampler has a process of its own and is timed several times, after one call
that compiles. deepinv is optional: without it, its rows are left out. Only the
time is compared: the samplers of deepinv stay at one noise level, so with as
many steps they do not draw from the same distribution. Nothing else should run
on the machine.
"""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import time

import numpy as np

from loupe_tf.command_line import argument_parser

SAMPLERS = (
    *("tensorflow langevin", "tensorflow hmc"),
    *("torch langevin", "torch hmc"),
    *("deepinv ULA", "deepinv SKRock"),
)
LEAPFROG = 4
# Evaluations of a proposal: its start, its leapfrog steps, two inner nodes.
OF_A_PROPOSAL = LEAPFROG + 3
INNER = 10
LEVELS = 5
SIGMA = 0.02


def score_network(size, filters):
    """An untrained network, whose prior has a falling spectrum."""
    import loupe_tf

    rng = np.random.default_rng(0)
    images = rng.normal(size=(4, size, size, 2)).cumsum(1).cumsum(2)
    images = (images / np.abs(images).max()).astype("float32")
    score = loupe_tf.models.ScoreNetwork((0.004, 1), filters=filters, depth=3)
    score.adapt(images)
    return score, images[:1]


def measured(image, size):
    """The mask of every fourth column, and noisy k-space `(1, 1, H, W, 2)`."""
    from loupe_tf.numpy_fourier import fft2c

    mask = np.zeros((size, size), "float32")
    mask[:, size // 2 % 4 :: 4] = 1
    kspace = fft2c(image[..., 0] + 1j * image[..., 1])
    rng = np.random.default_rng(1)
    kspace = np.stack([kspace.real, kspace.imag], -1)
    kspace = kspace + SIGMA * rng.normal(size=kspace.shape)
    return mask, (kspace * mask[..., None])[:, None].astype("float32")


def ours(method, size, filters, chains, evaluations):
    """A function that draws samples with the package, and its evaluations."""
    import loupe_tf
    from loupe_tf import posterior

    score, image = score_network(size, filters)
    mask, kspace = measured(image, size)
    scan = loupe_tf.operators.Cartesian(mask[None, ..., None])
    each = evaluations // LEVELS
    if method == "hmc":
        steps = max(1, each // OF_A_PROPOSAL)
        method = posterior.HMC(steps, leapfrog=LEAPFROG)
        count = LEVELS * steps * OF_A_PROPOSAL
    else:
        method = posterior.Langevin(each)
        count = LEVELS * each
    levels = posterior.noise_levels(1, 0.2 * SIGMA, count=LEVELS)

    def draw():
        return posterior.sample(
            score,
            scan,
            kspace,
            SIGMA,
            method,
            levels,
            final=float(levels[-1]),
            chains=chains,
        ).samples

    # The flow from the last level to 0 evaluates the score once or twice.
    return draw, count


def theirs(method, size, filters, chains, evaluations):
    """The same with deepinv, whose chains are copies of the measurement."""
    import deepinv
    import torch

    torch.set_num_threads(1)
    score, image = score_network(size, filters)
    mask, kspace = measured(image, size)

    class Denoiser(torch.nn.Module):
        """Tweedie's formula, `x + s² r(x, s)`, channels first."""

        def forward(self, x, sigma, **_):
            x = x.movedim(1, -1)
            s = torch.as_tensor(sigma, dtype=x.dtype).reshape(-1, 1, 1, 1)
            s = s.expand(len(x), 1, 1, 1)
            return (x + s**2 * score([x, s])).movedim(-1, 1)

    def channels_first(values):
        values = torch.as_tensor(values).movedim(-1, 1)
        return values.repeat(chains, 1, 1, 1).contiguous()

    physics = deepinv.physics.MRI(
        mask=torch.as_tensor(mask), img_size=(2, size, size)
    )
    options = {
        "prior": deepinv.optim.ScorePrior(Denoiser()),
        "data_fidelity": deepinv.optim.L2(sigma=SIGMA),
        "step_size": 0.1 * SIGMA**2,
        "sigma": SIGMA,
        "max_iter": evaluations,
        "thinning": 1,
        "burnin_ratio": 0.0,
        "thresh_conv": 0.0,
        "clip": None,
    }
    if method == "SKRock":
        options |= {"inner_iter": INNER, "max_iter": evaluations // INNER}
    sampler = getattr(deepinv.sampling, method)(**options)
    y = channels_first(kspace[:, 0])

    def draw():
        with torch.no_grad():
            mean, _ = sampler(y, physics, seed=0)
        return mean.numpy()

    count = options["max_iter"] * (INNER if method == "SKRock" else 1)
    return draw, count


def work(sampler, repeats, **setting):
    """Time a sampler in this process, and print the seconds."""
    package, method = sampler.split()
    draw, count = (theirs if package == "deepinv" else ours)(method, **setting)
    found = draw()
    if not np.isfinite(found).all():
        raise FloatingPointError(f"{sampler}: the chains are not finite")
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        draw()
        seconds.append(time.perf_counter() - start)
    print(json.dumps({"seconds": seconds, "evaluations": count}))


def measure(sampler, **setting):
    """Do it in a fresh process, on one core."""
    command = [sys.executable, __file__, "--worker"]
    command.append(json.dumps({"sampler": sampler, **setting}))
    backend = "tensorflow" if sampler.startswith("tensorflow") else "torch"
    threads = {
        f"{name}_NUM_{kind}": "1"
        for name, kind in (
            *(("TF", "INTRAOP_THREADS"), ("TF", "INTEROP_THREADS")),
            *(("OMP", "THREADS"), ("MKL", "THREADS")),
        )
    }
    run = subprocess.run(
        command,
        env={
            **os.environ,
            **threads,
            "KERAS_BACKEND": backend,
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "CUDA_VISIBLE_DEVICES": "",
        },
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(run.stdout.splitlines()[-1])


def available(samplers):
    """Those samplers whose packages are installed."""
    has = {
        name: importlib.util.find_spec(name) is not None
        for name in ("tensorflow", "torch", "deepinv")
    }
    has["deepinv"] &= has["torch"]
    return [each for each in samplers if has[each.split()[0]]]


def parse_arguments(arguments=None):
    parser = argument_parser(__doc__)
    add = parser.add_argument
    add("--size", type=int, default=64, help="H and W (%(default)s)")
    add("--filters", type=int, default=16, help="(%(default)s)")
    add("--chains", type=int, default=8, help="samples (%(default)s)")
    add(
        "--evaluations",
        type=int,
        default=200,
        help="evaluations of the network by each chain (%(default)s)",
    )
    add("--repeats", type=int, default=5, help="calls timed (%(default)s)")
    add("--samplers", nargs="+", choices=SAMPLERS, default=SAMPLERS)
    add("--worker", type=json.loads, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    least = LEVELS * OF_A_PROPOSAL
    if options.evaluations < least:
        parser.error(f"--evaluations: expected {least} or more")
    return options


def main(arguments=None):
    options = parse_arguments(arguments)
    if options.worker:
        work(**options.worker)
        return 0
    names = ("size", "filters", "chains", "evaluations", "repeats")
    setting = {name: getattr(options, name) for name in names}
    print(f"one of {os.cpu_count()} cores; {setting}\n", flush=True)
    line = "{:<20}{:>12}{:>12}{:>10}{:>12}{:>18}{:>8}".format
    heading = (
        *("sampler", "evaluations", "s an image", "s a sample"),
        *("ms each", "spread [ms]", "ratio"),
    )
    print(line(*heading))
    first = None
    for sampler in available(options.samplers):
        found = measure(sampler, **setting)
        seconds = np.array(found["seconds"])
        each = 1e3 * seconds / found["evaluations"] / options.chains
        first = np.median(each) if first is None else first
        print(
            line(
                sampler,
                found["evaluations"],
                f"{np.median(seconds):.2f}",
                f"{np.median(seconds) / options.chains:.3f}",
                f"{np.median(each):.2f}",
                f"{each.min():.2f} to {each.max():.2f}",
                f"{np.median(each) / first:.2f}",
            ),
            flush=True,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
