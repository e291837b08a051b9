"""Keras callbacks: 4S, fixed slope schedules and the two training rounds.

Those of slopes work on any model that has a layer with a variable named
`slope`.
"""

from loupe_tf.callbacks.backup_and_restore import BackupAndRestore
from loupe_tf.callbacks.coarse_to_fine import CoarseToFine
from loupe_tf.callbacks.coil_batches import CoilBatches
from loupe_tf.callbacks.collapse_alarm import CollapseAlarm
from loupe_tf.callbacks.keep_contraction import KeepContraction
from loupe_tf.callbacks.mask_tensorboard import MaskTensorBoard
from loupe_tf.callbacks.mask_validation import MaskValidation
from loupe_tf.callbacks.masked_batches import MaskedBatches
from loupe_tf.callbacks.self_shrinking_sigmoid_slope import (
    SelfShrinkingSigmoidSlope,
)
from loupe_tf.callbacks.shuffled_batches import ShuffledBatches
from loupe_tf.callbacks.slope_schedule import (
    SlopeSchedule,
    constant,
    cosine,
    geometric,
    linear,
)
from loupe_tf.callbacks.two_rounds.fit import fit_two_rounds

__all__ = [
    "BackupAndRestore",
    "CoarseToFine",
    "CoilBatches",
    "CollapseAlarm",
    "KeepContraction",
    "MaskTensorBoard",
    "MaskValidation",
    "MaskedBatches",
    "SelfShrinkingSigmoidSlope",
    "ShuffledBatches",
    "SlopeSchedule",
    "constant",
    "cosine",
    "fit_two_rounds",
    "geometric",
    "linear",
]
