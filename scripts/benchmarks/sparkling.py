"""Measure SPARKLING: all pairs of samples, or their sum on a grid.

The script makes curves with each way to sum the repulsion of samples, and
prints the processor time, the distance of the samples from the density, and the
memory at its highest. Pairs are left out beyond 20 000 samples.

    python scripts/benchmarks/sparkling.py
    python scripts/benchmarks/sparkling.py --shots 100 --samples 1000 --steps 3
    python scripts/benchmarks/sparkling.py --quick
"""

import resource
import sys
import time

from loupe_tf.command_line import argument_parser
from loupe_tf.provenance import environment

MOST_PAIRS = 20_000
SCAN = {"field_of_view": (230, 230), "dwell": 1e-5}


def measure(options, summation):
    """Make curves; return seconds, and the distance from the density."""
    from loupe_tf import trajectories

    density = trajectories.decaying_density((options.size, options.size))
    start = time.process_time()
    curves = trajectories.sparkling(
        density,
        options.shots,
        options.samples,
        "sparkling",
        iterations=options.steps,
        summation=summation,
        **SCAN,
    )
    seconds = time.process_time() - start
    return seconds, trajectories.distance_to_density(curves, density)


def parse_arguments(arguments=None):
    parser = argument_parser(__doc__)
    add = parser.add_argument
    add("--size", type=int, default=128, help="pixels (%(default)s)")
    add("--shots", type=int, default=16, help="(%(default)s)")
    add("--samples", type=int, default=256, help="(%(default)s)")
    add("--steps", type=int, default=40, help="at each level (%(default)s)")
    add("--quick", action="store_true", help="a toy: does it run at all?")
    parser.presets = {
        "--quick": {"size": 32, "shots": 2, "samples": 64, "steps": 1}
    }
    return parser.parse_args(arguments)


def main(arguments=None):
    options = parse_arguments(arguments)
    print("; ".join(environment().values()))
    total = options.shots * options.samples
    # The grid first: memory is measured at its highest so far.
    for summation in ("grid", "pairs"):
        if summation == "pairs" and total > MOST_PAIRS:
            continue
        seconds, distance = measure(options, summation)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"{options.shots} shots × {options.samples} samples, {summation}: "
            f"{seconds:.1f} s of processor time, distance {distance:.3f}, "
            f"at most {memory:.0f} MiB"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
