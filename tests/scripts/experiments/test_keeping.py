import json

import numpy as np

import experiments
from experiments.keeping import to_trace
from loupe_tf.run_folder import RunFolder


def test_to_trace_has_six_digits_and_no_nan():
    history = {
        "loss": [np.float32(1 / 3), float("nan")],
        "slope": [2e5, np.inf],
        "other": [1],
    }
    trace = to_trace(history, ("loss", "slope"))
    assert trace == {"loss": [0.333333, None], "slope": [2e5, None]}
    assert json.loads(json.dumps(trace)) == trace


def test_images_are_kept(tmp_path, rng):
    folder = RunFolder(tmp_path / "out")
    assert experiments.load_images(folder, "a") == {}
    image = rng.uniform(size=(3, 4, 1))
    experiments.save_images(folder, "a", mask=image[..., 0] > 0.5, image=image)
    found = experiments.load_images(folder, "a")
    assert found["image"].dtype == "float32"
    np.testing.assert_allclose(found["image"], image, atol=5e-4)
    np.testing.assert_array_equal(found["mask"], image[..., 0] > 0.5)
    experiments.save_images(RunFolder(tmp_path / "no", writes=False), "a", x=[])
    assert not (tmp_path / "no").exists()
