import math

import keras
import numpy as np
from keras import ops

from loupe_tf.checks import check_integer, check_number, invalid
from loupe_tf.masks.budget import check_pair
from loupe_tf.models.independent import independent
from loupe_tf.operators.cartesian import fit_mask
from loupe_tf.regimes.held_out_loss import divide, held_out_loss
from loupe_tf.regimes.hold_out import HoldOut
from loupe_tf.regimes.regime import select

RAMP = 0.2
"""The share of the steps in which the weight of the teacher rises."""


@keras.saving.register_keras_serializable(package="loupe_tf")
class Distillation(HoldOut):
    """Learn from held-out samples, and from a teacher on what is missing.

    The teacher is the moving average of the student's weights, as in DINO
    (Caron et al., "Emerging properties in self-supervised vision transformers",
    ICCV 2021). It sees all samples Ω, the student only Θ. The loss is

        L = L_hold_out(Λ) + w · ‖F S (x̂ - x̂_t)‖² / ‖y_Λ‖²,

    with the first norm over the samples outside Ω only. Where k-space was
    measured, the measurement alone speaks, so student and teacher cannot agree
    on a wrong image: the hold-out loss of an empty image is 1. With `weight=0`,
    this is `HoldOut`.

    The scale is that of the held-out samples, not of the teacher. Many networks
    begin at the zero-filled image, where a teacher has no energy outside Ω;
    relative to that, all that a student fills in would be an endless error.

    Without this anchor, agreement is all that counts, and a constant image is a
    perfect agreement. `anchored=False` is this recipe: the mean absolute
    difference of the images that student and teacher make of two splits. It
    is here to show the collapse, and is not for use.

    The logs tell a collapse without any true image, and
    `loupe_tf.callbacks.CollapseAlarm` watches the first:

    - `energy_ratio`: `‖(F S x̂)_Λ‖² / ‖y_Λ‖²`. It falls to 0 in a collapse.
    - `spread`: the standard deviation of x̂ over the batch, relative to its
      root mean square. It is 0 if all images are alike.
    - `gap`: the distance between student and teacher outside Ω, as in the
      loss.
    - `student_error`, `teacher_error`: the errors on samples V that are never
      used in training. In validation, both rebuild the image from Ω∖V. They
      say which of the two to use, without a true image.

    Args:
        model: A reconstructor or a `Loupe`; see `Regime`. The teacher is a
            copy of its reconstructor.
        weight: Float ≥ 0, the largest w. It rises linearly in the first fifth
            of `steps`.
        momentum: Pair of floats in [0, 1), the momentum of the moving average
            in the first step and from `steps` on; between them, it follows
            half a cosine. In the first step, the teacher becomes the student.
        steps: Integer ≥ 1, the planned number of training steps.
        validation: Float in [0, 1), the share of k-space that is left out of
            training to compute the errors, V. Its places are drawn once from
            `seed`, outside the kept block, and are the same for all scans. At
            inference, they are used. With 0, the errors are those on Λ.
        anchored: Boolean. `False` is the recipe that collapses.
        **kwargs: Further arguments of `HoldOut`, except `splits`.

    Attributes:
        teacher: The moving average, a reconstructor; not trainable.

    Example:

    ```python
    regime = loupe_tf.regimes.Distillation(reconstructor, steps=2000, seed=0)
    regime.compile(keras.optimizers.Adam(1e-3))
    alarm = loupe_tf.callbacks.CollapseAlarm(stop=True)
    scans = [kspace, mask, maps]
    regime.fit(scans, validation_data=(scans,), epochs=20, callbacks=[alarm])
    ```
    """

    monitors = (
        "energy_ratio",
        "spread",
        "gap",
        "student_error",
        "teacher_error",
    )

    def __init__(
        self,
        model,
        weight=0.3,
        momentum=(0.99, 0.999),
        steps=1000,
        validation=0.1,
        anchored=True,
        **kwargs,
    ):
        if kwargs.get("splits", 1) != 1:
            raise invalid("splits", "1 with a teacher", kwargs["splits"])
        super().__init__(model, **kwargs)
        self.distilled = check_number("weight", weight, at_least=0)
        self.momentum = check_pair(
            "momentum",
            momentum,
            "a pair of numbers in [0, 1)",
            check_number,
            at_least=0,
            below=1,
        )
        self.steps = check_integer("steps", steps, at_least=1)
        self.validation = check_number(
            "validation", validation, at_least=0, below=1
        )
        self.anchored = anchored
        self.teacher = keras.saving.deserialize_keras_object(
            independent(keras.saving.serialize_keras_object(self.reconstructor))
        )
        self.teacher.trainable = False
        self.step = self.add_weight(
            shape=(), initializer="zeros", trainable=False, name="step"
        )

    def use_teacher(self):
        """Give the reconstructor the weights of the teacher."""
        self.reconstructor.set_weights(self.teacher.get_weights())

    def call(self, inputs, training=None):
        if not self.teacher.built:
            self.teacher(self.measure(inputs)[0], training=False)
            self.teacher.trainable = False
        return super().call(inputs, training)

    def learn(self, measured, training):
        kspace, mask, *maps = measured
        spare = self._spare(mask)
        mask = mask - spare
        seen, held = self.split(mask, training)
        image, predicted = self.rebuild(kspace, seen, maps, training)
        if training:
            self._follow()
        view = mask if self.anchored else self.split(mask, training)[0]
        theirs = ops.stop_gradient(
            self.teacher([select(kspace, view), view, *maps], training=False)
        )
        taught = self.predict_kspace(theirs, maps)
        gap = divide(
            _energy(predicted - taught, 1.0 - mask - spare),
            _energy(kspace, held),
        )
        if self.anchored:
            weights = self.weight(seen, held)
            loss = held_out_loss(kspace, predicted, held, weights, self.norm)
            if self.distilled:
                loss = loss + self._ramp() * gap
        else:
            loss = ops.mean(ops.abs(image - theirs), axis=_axes(image))
        ours = predicted
        if not training:
            ours = self.rebuild(kspace, mask, maps, False)[1]
        judged = spare if self.validation else held
        found = {
            "energy_ratio": divide(
                _energy(predicted, held), _energy(kspace, held)
            ),
            "spread": _spread(image),
            "gap": gap,
            "student_error": held_out_loss(kspace, ours, judged),
            "teacher_error": held_out_loss(kspace, taught, judged),
        }
        found = {key: ops.stop_gradient(x) for key, x in found.items()}
        none = ops.logical_not(ops.any(held > 0, axis=(1, 2, 3)))
        return {"image": image, "loss": loss, "refused": none, **found}

    def get_config(self):
        config = super().get_config()
        del config["splits"]
        return {
            **config,
            "weight": self.distilled,
            "momentum": self.momentum,
            "steps": self.steps,
            "validation": self.validation,
            "anchored": self.anchored,
        }

    def _spare(self, mask):
        """Return what was acquired in V, which is never trained on."""
        if not self.validation:
            return ops.zeros_like(mask)
        shape = {"columns": (1, mask.shape[2]), "rows": (mask.shape[1], 1)}
        size = shape.get(self.lines, tuple(mask.shape)[1:3])
        rng = np.random.default_rng(self.seed or 0)
        places = rng.uniform(size=size) < self.validation
        places &= ~self._kept(size)
        return ops.where(places[None, ..., None], mask, 0.0)

    def _ramp(self):
        rise = self.step / max(RAMP * self.steps, 1.0)
        return self.distilled * ops.minimum(rise, 1.0)

    def _follow(self):
        """Move the teacher towards the student."""
        first, last = self.momentum
        done = ops.minimum(self.step / self.steps, 1.0)
        share = (1.0 - ops.cos(math.pi * done)) / 2
        momentum = first + (last - first) * share
        momentum = ops.where(self.step > 0, momentum, 0.0)
        for theirs, ours in zip(
            self.teacher.weights, self.reconstructor.weights
        ):
            now = ops.stop_gradient(ops.convert_to_tensor(ours))
            if keras.backend.is_float_dtype(ours.dtype):
                now = now + momentum * (theirs - now)
            theirs.assign(now)
        self.step.assign(self.step + 1.0)


def _axes(x):
    return tuple(range(1, len(x.shape)))


def _energy(x, where):
    """Return `‖x‖²` over the samples of a mask, for each example."""
    where = fit_mask(where, x) > 0
    return ops.sum(ops.where(where, ops.square(x), 0.0), axis=_axes(x))


def _spread(image):
    """Return the spread over the batch, the same number for each example."""
    variance = ops.mean(ops.var(image, axis=0))
    power = ops.mean(ops.square(image))
    return ops.sqrt(divide(variance, power)) * ops.ones_like(
        ops.mean(image, axis=_axes(image))
    )
