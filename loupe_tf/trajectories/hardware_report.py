import dataclasses

import numpy as np

# Relative: rounding is not a violation.
TOLERANCE = 1e-6
# More lines would not be read.
SHOWN = 5


@dataclasses.dataclass(frozen=True)
class Violation:
    """One limit that one shot breaks, where it is broken most.

    Attributes:
        limit: `"gradient"` or `"slew rate"`.
        shot, sample: Integers, indices. A gradient is that of the node before
            the sample; the node behind the last one has `sample` = `samples`.
        value, most: Floats, what the shot asks for, and the limit.
    """

    limit: str
    shot: int
    sample: int
    value: float
    most: float

    def __str__(self):
        unit = UNITS[self.limit]
        above = 100 * (self.value / self.most - 1)
        return (
            f"shot {self.shot}, sample {self.sample}: {self.limit} "
            f"{self.value:.4g} {unit}, {above:.3g} % above {self.most:g} {unit}"
        )


UNITS = {"gradient": "mT/m", "slew rate": "T/m/s"}


class HardwareReport:
    """The demands of the shots of a trajectory on a gradient system.

    `str(report)` is a text for people. `Hardware.check` makes it.

    Attributes:
        gradient: Array `(shots, samples + 1)`, in mT/m, in the nodes before,
            between and behind the samples.
        slew: Array `(shots, samples)`, in T/m/s, around each sample.
        max_gradient, max_slew: Floats, the limits.
    """

    def __init__(self, gradient, slew, max_gradient, max_slew):
        self.gradient = gradient
        self.slew = slew
        self.max_gradient = max_gradient
        self.max_slew = max_slew

    @property
    def ok(self):
        """Whether all limits hold, to a relative 1e-6."""
        return bool(self.excess <= TOLERANCE)

    @property
    def excess(self):
        """The largest value relative to its limit, minus 1."""
        return max(
            self.gradient.max() / self.max_gradient - 1,
            self.slew.max() / self.max_slew - 1,
        )

    @property
    def violations(self):
        """List of `Violation`, at most one for each limit and shot."""
        found = []
        for limit, values, most in (
            ("gradient", self.gradient, self.max_gradient),
            ("slew rate", self.slew, self.max_slew),
        ):
            worst = values.argmax(axis=1)
            largest = values.max(axis=1)
            for shot in np.flatnonzero(largest / most - 1 > TOLERANCE):
                place = int(shot), int(worst[shot])
                found.append(
                    Violation(limit, *place, float(largest[shot]), most)
                )
        return found

    def __str__(self):
        lines = [
            f"gradient at most {self.gradient.max():.4g} of "
            f"{self.max_gradient:g} mT/m, slew rate at most "
            f"{self.slew.max():.4g} of {self.max_slew:g} T/m/s"
        ]
        worst = sorted(
            self.violations, key=lambda v: v.value / v.most, reverse=True
        )
        lines += map(str, worst[:SHOWN])
        if len(worst) > SHOWN:
            lines.append(f"and {len(worst) - SHOWN} more")
        return "\n".join(lines)

    def __repr__(self):
        return f"<HardwareReport {self}>"
