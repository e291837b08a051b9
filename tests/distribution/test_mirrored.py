import json
import os
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest

from loupe_tf.models import loupe_model  # noqa: F401  (registers the layers)

SCRIPT = pathlib.Path(__file__).with_name("two_devices.py")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("two_devices")


@pytest.fixture(scope="module")
def found(folder):
    result = subprocess.run(
        [sys.executable, SCRIPT, folder],
        capture_output=True,
        text=True,
        timeout=500,
        env={**os.environ, "KERAS_BACKEND": "tensorflow"},
    )
    assert result.returncode == 0, result.stderr[-3000:]
    return json.loads(result.stdout.splitlines()[-1])


def test_devices(found):
    assert found["replicas"] == found["num_replicas"] == 2
    assert found["name"] == "MirroredStrategy, 2 replicas"
    assert set(found["fft"]) == {"0", "1"} and max(found["fft"].values()) < 1e-5


def test_fixed_mask_same_losses_as_on_one_device(found):
    assert found["arrays"] < 1e-5
    # With batch normalisation, which must be synchronised for that.
    assert found["batches"] < 1e-5


def test_replicas_draw_masks_of_their_own(found):
    """Two images on each of two replicas."""
    correlations = found["correlations"]
    assert len(correlations) == 6 and np.abs(correlations).max() < 0.3


def test_slope_is_raised_on_all_replicas(found):
    slope = found["history"]["slope"]
    # Raised after the second epoch and those after it.
    np.testing.assert_allclose(slope[:4], [200, 200, 300, 450])
    assert "val_relaxed_loss" in found["history"]
    assert found["slopes"][0] == found["slopes"][1]
    assert found["slopes"][0] in slope


def test_what_is_left_over_is_left_out(found):
    best = int(np.argmin(found["history"]["val_relaxed_loss"]))
    # Two batches of four an epoch; the best epoch's optimizer is restored.
    assert found["steps"] % 2 == 0 and found["steps"] <= 2 * (best + 1)


@pytest.mark.parametrize("name", ["instance", "synchronized"])
def test_copy_on_one_device(found, folder, name):
    assert found[f"inference {name}"] < 1e-5
    assert found[f"replicas of copy {name}"] == 1
    assert found[f"optimizer {name}"][0] == found[f"optimizer {name}"][1]
    model = keras.models.load_model(folder / f"{name}.keras")
    assert model.output_shape == (None, 16, 18, 1)


def test_refused(found):
    odd, few, none, fft = found["errors"]
    assert "`batch_size`" in odd and "2" in odd and "batch_size=3" in odd
    assert "`train`" in few and "3 examples" in few
    assert "`validation_data`" in none and "1 examples" in none
    assert fft.startswith("Replica 1 computes wrong Fourier transforms")
