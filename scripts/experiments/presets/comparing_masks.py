"""Settings of experiments that compare masks, by the name of the preset."""

from experiments.side_by_side import side_by_side

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
    # The maximum of each round; patience ends it earlier.
    epochs=([1000, 500], [30, 20], [2, 1]),
    slope=(200.0, 20.0, 20.0),
    patience=(40, 2, 1),
    cooldown=(10, 1, 0),
    stop_patience=(100, 20, 3),
    lr_patience=(50, 5, 1),
    # Long trainings are backed up, so that they resume from their last epoch.
    backup=(True, False, False),
)


def training_and(names, **settings):
    """Return presets of `TRAINING` with added or changed settings.

    Args:
        names: Tuple of strings, the presets.
        **settings: Arguments of `side_by_side`.

    Returns:
        A dict of dicts.
    """
    own = side_by_side(names, **settings)
    return {name: {**TRAINING[name], **own[name]} for name in names}
