"""Settings of experiments, by the name of the preset.

`paper` is what a paper says, or a large size; `cpu` the same in small, and
`smoke` all steps in about two minutes.
"""

from experiments.side_by_side import side_by_side
from loupe_tf.evaluation import REGULARIZATIONS

# The settings of the 4S paper, for masks of all kinds.
TRAINING = side_by_side(
    ("paper", "cpu", "smoke"),
    data=("fastmri_slices/knee_singlecoil_4s", "mni_brain/64", "mni_brain/64"),
    accelerations=[4.0, 8.0],
    seeds=([0, 1, 2], [0, 1, 2], [0]),
    filters=(64, 8, 4),
    depth=(5, 3, 2),
    batch_size=(16, 8, 16),
    learning_rate=0.01,
    # The most of each round; patience ends it.
    epochs=([1000, 500], [30, 20], [2, 1]),
    slope=(200.0, 20.0, 20.0),
    patience=(40, 2, 1),
    cooldown=(10, 1, 0),
    stop_patience=(100, 20, 3),
    lr_patience=(50, 5, 1),
    # A killed training goes on from its last epoch, where that is worth it.
    backup=(True, False, False),
)
"""Presets of experiments that compare masks."""


def training_and(names, **settings):
    """The presets of `TRAINING`, with further or other settings.

    Args:
        names: Tuple of strings, the presets.
        **settings: As `side_by_side` takes them.

    Returns:
        A dict of dicts.
    """
    own = side_by_side(names, **settings)
    return {name: {**TRAINING[name], **own[name]} for name in names}


MASK_TRANSFER = training_and(
    ("paper", "cpu", "smoke"),
    accelerations=([4.0, 8.0], [4.0, 8.0], [4.0]),
    regularizations=([*REGULARIZATIONS], [*REGULARIZATIONS], [0.01, 0.1]),
    tuning_slices=(8, 4, 1),
    test_slices=(None, None, 1),  # Of each volume; `None` are all of them.
)

DEFAULTS = training_and(
    ("cpu", "smoke"),
    accelerations=([4.0, 8.0], [4.0]),
    epochs=([20, 10], [1, 1]),
    sizes=([64, 128, 320], [32]),
    estimators=["relaxed"],
    slopes=None,  # Those of each estimator.
)

DROP_RATES = side_by_side(
    # The report is silent on the sizes of images, epochs and batches.
    ("paper", "cpu", "smoke"),
    data=("fastmri_slices/knee_singlecoil", "mni_brain/64", "mni_brain/64"),
    drop_rates=([0.2, 0.4, 0.6], [0.2, 0.4, 0.6], [0.4, 0.6]),
    losses=["mse"],
    seeds=([0, 1, 2], [0, 1, 2], [0]),
    filters=(32, 8, 4),
    depth=(7, 4, 2),
    batch_size=(16, 8, 16),
    learning_rate=(1e-3, 1e-2, 1e-2),
    epochs=(100, 30, 3),
    slope=20.0,
    patience=(5, 2, 1),
    cooldown=(2, 1, 0),
    stop_patience=(30, 15, 3),
    lr_patience=(10, 5, 1),
    backup=(True, False, False),
)
