"""Agreement with U-Nets of the `fastmri` package, with its weights."""

import keras
import numpy as np
import pytest

from loupe_tf.models import (
    fastmri_unet,
    load_fastmri_weights,
    norm_unet,
)

pytest.importorskip("fastmri")

import torch  # noqa: E402
from fastmri.data.transforms import normalize_instance  # noqa: E402
from fastmri.models import Unet  # noqa: E402
from fastmri.models.varnet import NormUnet  # noqa: E402

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    "size, channels, filters, depth",
    [
        ((64, 48), (1, 1), 32, 4),
        ((47, 61), (2, 1), 8, 4),
        ((33, 30), (2, 2), 4, 3),
        ((7, 5), (1, 2), 4, 1),
    ],
)
def test_same_parameters_and_output(rng, size, channels, filters, depth):
    torch.manual_seed(0)
    theirs = Unet(*channels, filters, depth, drop_prob=0.0).eval()
    ours = fastmri_unet((*size, channels[0]), channels[1], filters, depth)
    expected = sum(w.numel() for w in theirs.parameters())
    assert ours.count_params() == expected
    load_fastmri_weights(ours, theirs.state_dict())
    x = rng.normal(size=(2, *size, channels[0])).astype("float32")
    with torch.no_grad():
        expected = theirs(torch.from_numpy(x.transpose(0, 3, 1, 2)))
    got = keras.ops.convert_to_numpy(ours(x))
    np.testing.assert_allclose(
        got, expected.numpy().transpose(0, 2, 3, 1), atol=1e-4
    )


def test_same_number_of_parameters_at_full_size():
    theirs = Unet(1, 1, chans=32, num_pool_layers=4)
    expected = sum(w.numel() for w in theirs.parameters())
    assert fastmri_unet((320, 320, 1)).count_params() == expected


# Raw fastMRI images are of the order of 1e-5.
@pytest.mark.parametrize("scale", [1e-5, 1.0])
def test_same_standardization(rng, scale):
    theirs = Unet(1, 1, 4, 2).eval()
    ours = fastmri_unet((20, 24, 1), 1, 4, 2, standardize="image")
    load_fastmri_weights(ours, theirs.state_dict())
    x = np.float32(scale * rng.exponential(size=(3, 20, 24, 1)) ** 2)
    expected = []
    for example in torch.from_numpy(x.transpose(0, 3, 1, 2)):
        image, mean, std = normalize_instance(example[0], eps=1e-11)
        assert image.max() > 6  # so that the clip is seen
        with torch.no_grad():
            output = theirs(image.clamp(-6, 6)[None, None])[0, 0]
        expected.append(output * std + mean)
    got = keras.ops.convert_to_numpy(ours(x))[..., 0]
    np.testing.assert_allclose(got, np.stack(expected), atol=1e-4 * scale)


@pytest.mark.parametrize(
    "size, filters, depth",
    [((64, 48), 18, 4), ((47, 35), 8, 4), ((19, 34), 4, 2)],
)
@pytest.mark.parametrize("scale", [1e-5, 1.0])
def test_same_output_of_the_normalised_network(
    rng, size, filters, depth, scale
):
    torch.manual_seed(0)
    theirs = NormUnet(filters, depth).eval()
    ours = norm_unet((*size, 2), filters=filters, depth=depth)
    expected = sum(w.numel() for w in theirs.parameters())
    assert ours.count_params() == expected
    load_fastmri_weights(ours, theirs.unet.state_dict())
    x = rng.normal(0.3, 1, size=(2, *size, 2)) * [1, 5]
    x = (scale * x).astype("float32")
    with torch.no_grad():
        # Theirs has an axis of coils.
        expected = theirs(torch.from_numpy(x)[:, None])[:, 0]
    deviation = x.std(axis=(1, 2), keepdims=True)
    got = keras.ops.convert_to_numpy(ours(x))
    np.testing.assert_allclose(
        got / deviation, expected.numpy() / deviation, atol=5e-5
    )
