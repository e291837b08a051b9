"""Quality of reconstructions, and the significance of differences."""

from loupe_tf.evaluation.by_volume import (
    per_volume,
    worse_than_zero_filled,
)
from loupe_tf.evaluation.effect import (
    Effect,
    differences_by_volume,
    effect,
)
from loupe_tf.evaluation.fastmri_metrics import (
    fastmri_metrics,
    foreground,
    foreground_ssim,
)
from loupe_tf.evaluation.judging import (
    judge,
    judge_images,
    magnitude,
    reconstruct,
)
from loupe_tf.evaluation.showing import central_slices, middle_slice
from loupe_tf.evaluation.statistics import (
    bootstrap_interval,
    by_cell,
    in_words,
    mean_and_deviation,
    paired_difference,
    sign_flip_test,
)
from loupe_tf.evaluation.submission import (
    TRACKS,
    break_down,
    challenge_mask,
    check_submission,
    judge_submission,
    rebuild_volume,
    write_submission,
)
from loupe_tf.evaluation.tuning import (
    CLASSICAL,
    OF_COILS,
    REGULARIZATIONS,
    tune,
)

__all__ = [
    "CLASSICAL",
    "OF_COILS",
    "REGULARIZATIONS",
    "TRACKS",
    "Effect",
    "bootstrap_interval",
    "break_down",
    "by_cell",
    "central_slices",
    "challenge_mask",
    "check_submission",
    "differences_by_volume",
    "effect",
    "fastmri_metrics",
    "foreground",
    "foreground_ssim",
    "in_words",
    "judge",
    "judge_images",
    "judge_submission",
    "magnitude",
    "mean_and_deviation",
    "middle_slice",
    "paired_difference",
    "per_volume",
    "rebuild_volume",
    "reconstruct",
    "sign_flip_test",
    "tune",
    "worse_than_zero_filled",
    "write_submission",
]
