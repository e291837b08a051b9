"""A reconstructor of one's own, as docs/architecture.md has it."""

import pathlib
import re

import keras
import numpy as np
import pytest

import loupe_tf

PAGE = pathlib.Path(__file__).parents[1] / "docs/architecture.md"


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The names that the blocks of the page leave, on this backend."""
    blocks = re.findall(
        r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.M | re.S
    )
    names = {"__name__": "page"}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("page"))
        for block in blocks:
            exec(compile(block, str(PAGE), "exec"), names)
        names["folder"] = pathlib.Path.cwd()
    return names


def test_mask_and_network_are_trained(page):
    for model, shape in (
        (page["model"], (32, 36)),
        (page["several"], (32, 36)),
    ):
        mask = loupe_tf.masks.from_model(model)
        assert mask.acquired == round(np.prod(shape) / 4)
    kernels = [w for w in page["model"].trainable_weights if "kernel" in w.path]
    assert len(kernels) == 4
    fresh = loupe_tf.models.loupe_model(
        (32, 36, 1), acceleration=4, reconstructor=page["TwoSteps"](), seed=0
    )
    logits = [
        keras.ops.convert_to_numpy(model.get_layer("prob_mask").logits)
        for model in (fresh, page["model"])
    ]
    assert np.abs(logits[0] - logits[1]).max() > 0


def test_what_was_saved_is_what_was_trained(page):
    inputs = [page["kspace"][:2], page["maps"][:2]]
    expected = keras.ops.convert_to_numpy(page["several"](inputs))
    found = keras.ops.convert_to_numpy(page["loaded"](inputs))
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_real_kspace_is_rebuilt_as_in_the_model(page):
    """In the unit of the k-space, by the reconstructor alone."""
    inputs = [page["kspace"][:1], page["maps"][:1]]
    expected = keras.ops.convert_to_numpy(page["several"](inputs))[0]
    found = loupe_tf.reconstruct(
        page["loaded"],
        page["scan"],
        page["mask"],
        page["maps"][0] @ np.array([1, 1j]),
        leading="coils",
        scale=700,
    )
    expected = 700 * (expected @ np.array([1, 1j]))
    np.testing.assert_allclose(found, expected, atol=1e-2)


def test_it_is_judged_by_volume(page):
    found = page["found"]
    assert set(found["unit_range"]) == {"first", "second"}
    assert not found["refused"]
    expected = keras.ops.convert_to_numpy(page["model"](page["images"][:8]))
    error = np.mean((expected - page["images"][:8]) ** 2, axis=(1, 2, 3))
    psnr = np.mean(-10 * np.log10(error))
    assert abs(found["unit_range"]["first"]["psnr"] - psnr) < 1e-3
