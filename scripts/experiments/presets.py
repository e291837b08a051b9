"""Settings of experiments that compare masks."""

# The settings of the 4S paper, for masks of all kinds.
_PAPER = {
    "data": "fastmri_slices/knee_singlecoil_4s",
    "accelerations": [4.0, 8.0],
    "seeds": [0, 1, 2],
    "filters": 64,
    "depth": 5,
    "batch_size": 16,
    "learning_rate": 0.01,
    "epochs": [1000, 500],  # The most of each round; patience ends it.
    "slope": 200.0,
    "patience": 40,
    "cooldown": 10,
    "stop_patience": 100,
    "lr_patience": 50,
    "backup": True,  # A killed training goes on from its last epoch.
}
TRAINING = {
    "paper": _PAPER,
    # A training takes a minute.
    "cpu": {
        **_PAPER,
        "data": "mni_brain/64",
        "filters": 8,
        "depth": 3,
        "batch_size": 8,
        "epochs": [30, 20],
        "slope": 20.0,
        "patience": 2,
        "cooldown": 1,
        "stop_patience": 20,
        "lr_patience": 5,
        "backup": False,  # A run is shorter than its backups are worth.
    },
    "smoke": {
        **_PAPER,
        "data": "mni_brain/64",
        "seeds": [0],
        "filters": 4,
        "depth": 2,
        "epochs": [2, 1],
        "slope": 20.0,
        "patience": 1,
        "cooldown": 0,
        "stop_patience": 3,
        "lr_patience": 1,
        "backup": False,
    },
}
"""Presets of experiments that compare masks, by name: data and training."""
