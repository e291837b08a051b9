import keras
import numpy as np
import pytest

from loupe_tf.regimes import zero_shot
from loupe_tf.regimes.zero_shot import OneScan


def one(scans):
    (kspace, mask, maps), truth = scans
    mask = mask[:1]
    return kspace[:2] * (mask[:, None] > 0), mask, maps[:2], truth[:2]


def test_it_stops_at_the_lowest_error_on_samples_set_aside(scans, network):
    kspace, mask, maps, _ = one(scans)
    log = keras.callbacks.History()
    reconstructor, image = zero_shot(
        network,
        kspace,
        mask,
        maps,
        learning_rate=0.01,
        epochs=30,
        repeats=2,
        batch_size=2,
        patience=2,
        callbacks=[log],
        seed=0,
    )
    errors = log.history["val_loss"]
    assert len(errors) == 30 or np.argmin(errors) == len(errors) - 3
    assert image.shape == (2, 16, 18, 2) and reconstructor is network
    regime = OneScan(reconstructor, mask, 0.2, seed=0)
    regime.compile("adam")
    masks = np.repeat(mask, 2, axis=0)
    error = regime.evaluate([kspace, masks, maps], batch_size=2, verbose=0)
    assert error[0] == pytest.approx(min(errors), rel=1e-4)


def test_what_is_set_aside_is_not_trained_on(scans, network):
    _, mask, *_ = one(scans)
    regime = OneScan(network, mask, 0.25, ratio=0.5, seed=0)
    rest, spare = (
        keras.ops.convert_to_numpy(x) for x in regime.split(mask, False)
    )
    assert spare.sum() == np.floor(0.25 * (mask.sum() - 16) + 0.5)
    for _ in range(3):
        seen, held = (
            keras.ops.convert_to_numpy(x) for x in regime.split(mask, True)
        )
        np.testing.assert_array_equal(seen + held, rest)


def test_what_cannot_be_used_is_refused(scans, network):
    kspace, mask, maps, _ = one(scans)
    broken = kspace.copy()
    broken[1, 0, 3, 3] = np.nan
    for arguments, name in (
        ((kspace[0], mask), "`kspace`"),
        ((kspace, mask, np.where(maps > 0.1, np.nan, maps)), "`maps`"),
        ((broken, mask), r"`kspace`.*\[1\]"),
        ((kspace, np.ones((2, 16, 18, 1))), "`mask`"),
        ((kspace, mask, maps, 1.0), "`validation`"),
    ):
        with pytest.raises(ValueError, match=name):
            zero_shot(network, *arguments)
    with pytest.raises(ValueError, match="`ratio`"):
        zero_shot(network, kspace, mask, maps, keep=None, ratio=1e-4)
