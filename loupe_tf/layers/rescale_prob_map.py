import keras
from keras import ops

from loupe_tf.checks import invalid
from loupe_tf.layers.float32_layer import Float32Layer
from loupe_tf.masks.half_plane import required_and_allowed

# Logits of clipped probabilities are within ±16.2, so a shift of 40 moves any
# of them to 0 or 1. After this many bisections, the interval is close to the
# resolution of float32.
FARTHEST = 40.0
BISECTIONS = 24


@keras.saving.register_keras_serializable(package="loupe_tf")
class RescaleProbMap(Float32Layer):
    """Move a probability mask so that its mean is exactly the sparsity.

    This is equation 5 of the 4S paper (Martinini et al., BioCAS 2022), with
    `r = sparsity` and `⟨S⟩` the mean of S:

        P = r / ⟨S⟩ · S                        if ⟨S⟩ ≥ r
        P = 1 - (1 - r) / (1 - ⟨S⟩) · (1 - S)  if ⟨S⟩ < r

    In a calibration region, P is 1. The equation then applies to the other
    entries only, with the rest of the budget, so the mean of the whole P is
    still r. With a half-plane, P is 0 in the other half.

    With several masks, one for each group, their common mean is r: a group
    that needs more samples takes them from the others.

    With several sparsities, one S gives a P for each of them, by a shift of
    its logits:

        P = σ(logit S + c), with c such that ⟨P⟩ = r

    Equation 5 is not suitable here: it scales S, so no S could give a binary P
    for two sparsities. Each shifted P ranks the entries as S does, and a
    larger r gives a larger P in every entry, so masks drawn from them are
    nested.

    Args:
        sparsity: Float in (0, 1), `r = 1 / R`; or several floats in falling
            order.
        calibration: `None`, or the size of the calibration region: an integer
            (lines, or the side of a square) or a pair `(h, w)`.
        half_plane: Boolean. Whether only the entries of
            `loupe_tf.masks.half_plane` may be acquired. The mirrors of the
            acquired entries then fill the rest of the calibration region.

    Input shape:
        `(1, H, W, 1)`, or `(G, H, W, 1)` for G groups: probabilities in
        [0, 1]. H or W may be 1.

    Output shape:
        Same as the input, or `(K, H, W, 1)` for K sparsities; float32 in
        [0, 1].

    Example:

    >>> prob = np.random.uniform(size=(1, 32, 32, 1))
    >>> rescaled = loupe_tf.layers.RescaleProbMap(0.25)(prob)
    >>> round(float(np.mean(rescaled)), 3)
    0.25
    """

    def __init__(self, sparsity, calibration=None, half_plane=False, **kwargs):
        super().__init__(**kwargs)
        self.sparsity = standardize_sparsity(sparsity)
        self.calibration = calibration
        self.half_plane = half_plane

    def build(self, input_shape):
        groups = input_shape[0] or 1
        shape = tuple(input_shape[1:3])
        size = groups * shape[0] * shape[1]
        required, allowed = (
            entries[None, :, :, None]
            for entries in required_and_allowed(
                shape, self.calibration, self.half_plane
            )
        )
        self._required = required
        self._fixed = required | ~allowed
        acquired = groups * int(required.sum())
        free = groups * int(allowed.sum()) - acquired
        several = isinstance(self.sparsity, tuple)
        sparsities = self.sparsity if several else (self.sparsity,)
        budgets = [round(r * size) for r in sparsities]
        if acquired > budgets[-1] or acquired == size:
            raise invalid(
                "calibration",
                f"at most the budget of {budgets[-1]} of {size} entries",
                found=f"calibration={self.calibration}, {acquired} entries",
            )
        if budgets[0] > acquired + free:
            raise invalid(
                "sparsity",
                "one over an `acceleration` whose budget is at most the "
                f"{acquired + free} entries of the half-plane",
                found=f"sparsity={self.sparsity}, {budgets[0]} entries",
            )
        if several and (groups != 1 or len(set(budgets)) < len(budgets)):
            raise invalid(
                "sparsity",
                "several, one over the `acceleration` each, only for one "
                "probability mask, and each with another budget",
                found=f"sparsity={self.sparsity}, budgets of {budgets} entries "
                f"and {groups} probability masks",
            )
        self._free = max(free, 1)
        # Rounding may have put a budget slightly outside the allowed range.
        self._free_sparsities = [
            min(max(0.0, (r * size - acquired) / self._free), 1.0)
            for r in sparsities
        ]

    def call(self, prob):
        if self._fixed.any():
            prob = ops.where(self._fixed, 0.0, prob)
        if isinstance(self.sparsity, tuple):
            prob = self._shifted(prob)
        else:
            prob = self._rescaled(prob, self._free_sparsities[0])
        if self._fixed.any():
            prob = ops.where(
                self._fixed, ops.cast(self._required, "float32"), prob
            )
        return prob

    def _rescaled(self, prob, r):
        return equation_5(prob, ops.sum(prob) / self._free, r)

    def _shifted(self, prob):
        r = ops.reshape(
            ops.convert_to_tensor(self._free_sparsities, "float32"),
            (-1, 1, 1, 1),
        )
        logits = logit(prob)
        free = ops.cast(~self._fixed, "float32")

        def mean(values):
            return ops.sum(free * values, (1, 2, 3), keepdims=True) / self._free

        # Bisection, then one Newton step, which has the gradient of c(S).
        constant = ops.stop_gradient(logits)

        def halve(_, interval):
            low, high = interval
            middle = (low + high) / 2
            is_above = mean(ops.sigmoid(constant + middle)) > r
            return (
                ops.where(is_above, low, middle),
                ops.where(is_above, middle, high),
            )

        # XLA compiles this loop once. Unrolled, it would take minutes.
        interval = ops.full_like(r, -FARTHEST), ops.full_like(r, FARTHEST)
        shift = sum(ops.fori_loop(0, BISECTIONS, halve, interval)) / 2
        prob = ops.sigmoid(logits + shift)
        rise = ops.stop_gradient(mean(prob * (1 - prob)))
        step = (r - mean(prob)) / ops.maximum(rise, keras.config.epsilon())
        return ops.sigmoid(logits + shift + step)

    def compute_output_shape(self, input_shape):
        if isinstance(self.sparsity, tuple):
            return (len(self.sparsity), *input_shape[1:])
        return input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "sparsity": self.sparsity,
            "calibration": self.calibration,
            "half_plane": self.half_plane,
        }


def equation_5(prob, mean, r):
    """Move probabilities with this mean so that their mean is r."""
    r = ops.convert_to_tensor(r, "float32")
    # Each denominator is bounded by its value where the branches meet. Thus
    # the branch that is not taken has a finite value and gradient.
    tiny = keras.config.epsilon()
    down = r / ops.maximum(mean, ops.maximum(r, tiny)) * prob
    least = ops.maximum(1 - r, tiny)
    up = 1 - (1 - r) / ops.maximum(1 - mean, least) * (1 - prob)
    return ops.where(mean >= r, down, up)


def logit(prob):
    """Invert the sigmoid, with a finite gradient where P is 0 or 1."""
    tiny = keras.config.epsilon()
    prob = ops.clip(prob, tiny, 1 - tiny)
    return ops.log(prob) - ops.log(1 - prob)


def standardize_sparsity(sparsity):
    """Check `sparsity` and return a float, or a tuple of falling floats."""
    several = isinstance(sparsity, tuple | list)
    values = tuple(sparsity) if several else (sparsity,)
    falling = all(b < a for a, b in zip(values, values[1:]))
    if not values or not falling or not all(0 < r < 1 for r in values):
        raise invalid(
            "sparsity",
            "a number in (0, 1), one over the acceleration, or falling ones",
            sparsity,
        )
    return tuple(map(float, values)) if several else float(sparsity)
