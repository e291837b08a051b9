"""What the calibration region leaves of the budget of a mask."""

import dataclasses
import math

from loupe_tf.masks.budget import budget, calibration_region
from loupe_tf.masks.patterns import lines_shape


@dataclasses.dataclass(frozen=True)
class Budget:
    """The lines or points of a learned mask.

    Attributes:
        kind: String, `"columns"`, `"rows"` or `"points"`.
        size: Integer, how many there are.
        acquired: Integer, how many of them the mask acquires.
        inside: Integer, how many of these are the calibration region.
    """

    kind: str
    size: int
    acquired: int
    inside: int

    @property
    def learned(self):
        """The number that remains to be learned."""
        return self.acquired - self.inside

    @property
    def outside(self):
        """R outside the calibration region."""
        if self.learned <= 0:
            return math.inf
        return (self.size - self.inside) / self.learned

    def __str__(self):
        if not self.inside:
            return f"{self.acquired} of {self.size} {self.kind}"
        return (
            f"{self.acquired} of {self.size} {self.kind}: {self.inside} in the "
            f"calibration region, {self.learned} to learn; R = "
            f"{self.outside:.3g} outside the region"
        )


def budget_of(options, size):
    """What the learned mask may acquire.

    Args:
        options: `argparse.Namespace` of `loupe-tf train`.
        size: Tuple `(H, W)`.

    Returns:
        A `Budget`.
    """
    shape = lines_shape(size, options.lines) if options.lines else size
    region = calibration_region(shape, options.calibration)
    return Budget(
        kind=options.lines or "points",
        size=region.size,
        acquired=budget(region.size, options.acceleration),
        inside=int(region.sum()),
    )


def doubt_of(found, coils):
    """Say that too little remains to be learned, or `""`.

    Args:
        found: `Budget`.
        coils: Integer, or `None` for one uniform coil.
    """
    reasons = []
    if coils is not None and 1 < coils < found.outside:
        reasons.append(
            f"R = {found.outside:.3g} outside the calibration region exceeds "
            f"the number of coils, {coils}"
        )
    if found.learned < found.acquired / 2:
        reasons.append(
            f"the calibration region takes {found.inside} of the "
            f"{found.acquired} {found.kind} and leaves "
            f"{found.learned} to learn, fewer than half"
        )
    if not reasons:
        return ""
    return (
        f"{'; '.join(reasons)}. Give a lower --acceleration, or a smaller "
        "--calibration"
        + (
            "."
            if coils is None
            else " and the sensitivity maps of another scan."
        )
    )
