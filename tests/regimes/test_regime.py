import keras
import numpy as np
import pytest

import loupe_tf
from loupe_tf import masks, models
from loupe_tf.regimes import HoldOut


def fit(regime, scans, **options):
    regime.compile(keras.optimizers.Adam(1e-2))
    return regime.fit(scans, verbose=0, **options).history


@pytest.mark.graph
def test_the_reconstructor_is_trained_and_sees_all(scans, network):
    inputs, _ = scans
    regime = HoldOut(network, seed=0)
    history = fit(regime, inputs, epochs=12, batch_size=3)
    assert history["loss"][-1] < history["loss"][0] - 0.01
    assert history["refused"] == [0] * 12
    assert regime.reconstructor is network
    np.testing.assert_array_equal(
        regime.predict(inputs, verbose=0), network.predict(inputs, verbose=0)
    )


@pytest.mark.parametrize("outside", [1.0, np.nan])
def test_kspace_outside_the_mask_is_not_read(scans, network, outside):
    """At inference either, where a full scan would be a perfect image."""
    (kspace, mask, maps), truth = scans
    full = np.where(mask[:, None] > 0, kspace, outside).astype("float32")
    zero_filled = models.AdjointNetwork(None, reconstruction="complex")
    for model in network, zero_filled:
        regime = HoldOut(model, seed=0)
        regime.compile("adam", metrics=[loupe_tf.metrics.PSNR()])
        results = [
            (
                regime.predict([given, mask, maps], verbose=0),
                regime.evaluate([given, mask, maps], truth, verbose=0),
            )
            for given in (kspace, full)
        ]
        np.testing.assert_array_equal(results[0][0], results[1][0])
        np.testing.assert_array_equal(results[0][1], results[1][1])


def test_saved_and_restored(scans, network, tmp_path):
    inputs, truth = scans
    regime = HoldOut(network, keep=(4, 3), seed=0)
    regime.compile("adam", metrics=[loupe_tf.metrics.PSNR()])
    regime.fit(inputs, truth, verbose=0)
    regime.save(tmp_path / "regime.keras")
    loaded = keras.models.load_model(tmp_path / "regime.keras")
    for key in ("ratio", "keep", "seed"):
        assert loaded.get_config()[key] == regime.get_config()[key]
    # The same weights, optimizer and next draws: one batch, in its order.
    for _ in range(2):
        steps = [
            each.train_on_batch(inputs, truth, return_dict=True)
            for each in (regime, loaded)
        ]
        assert steps[0] == pytest.approx(steps[1], rel=1e-6)
    assert steps[0]["psnr"] > 0


def test_validation_has_one_split(scans, network):
    inputs, _ = scans
    regime = HoldOut(network, seed=0)
    regime.compile("adam")
    first = regime.evaluate(inputs, verbose=0)
    assert regime.evaluate(inputs, verbose=0) == first
    assert np.isfinite(first).all() and first[0] > 0


def test_with_a_sampler_and_masks_one_an_example(scans, images):
    _, mask, _ = scans[0]
    mask = np.concatenate([mask, mask[:2]])
    cnn = models.cnn((None, None, 2), 2, filters=4, depth=2)
    model = models.loupe_model(
        (16, 18, 1), mask_input=True, reconstructor=models.VarNet(cnn, 1)
    )
    regime = HoldOut(model, seed=0)
    regime.compile("adam", metrics=[loupe_tf.metrics.PSNR()])
    history = regime.fit([images, mask], images, verbose=0).history
    assert history["psnr"][0] > 0
    np.testing.assert_array_equal(
        regime.predict([images, mask], verbose=0),
        model.predict([images, mask], verbose=0),
    )


def test_a_learned_mask_is_frozen_first(images):
    model = models.loupe_model((16, 18, 1), 3, filters=2, depth=1, seed=0)
    with pytest.raises(ValueError, match="`model`.*freeze_mask"):
        HoldOut(model)
    frozen = models.freeze_mask(model)
    regime = HoldOut(frozen, keep=None, seed=0)
    fit(regime, images)
    assert masks.from_model(frozen).acquired == 96


def test_examples_that_are_not_finite_are_left_out(scans, network):
    (kspace, mask, maps), truth = scans
    broken = kspace.copy()
    broken[1, 0, 8, 9, 1] = np.nan
    broken[4, 1, 8, 9, 0] = np.inf
    unread = broken.copy()
    outside = np.argwhere(mask[0, ..., 0] == 0)[0]
    unread[0, 0, outside[0], outside[1]] = np.nan
    regime = HoldOut(network, seed=0)
    history = fit(regime, [unread, mask, maps], batch_size=6)
    assert history["refused"] == [pytest.approx(2 / 6)]
    assert np.isfinite(history["loss"]).all()
    assert all(np.isfinite(w).all() for w in network.get_weights())
    loss = regime.evaluate([unread, mask, maps], verbose=0)[0]
    zero = np.nan_to_num(broken, nan=0, posinf=0)
    weight = np.array([1, 0, 1, 1, 0, 1], "float32")
    expected = regime.evaluate(  # Keras drops weights without a target.
        [zero, mask, maps], truth, sample_weight=weight, verbose=0
    )
    assert loss == pytest.approx(expected[0] * 6 / 4, rel=1e-5)


def test_what_is_not_a_measurement_is_refused(scans, network):
    (kspace, mask, maps), truth = scans
    regime = HoldOut(network)
    with pytest.raises(ValueError, match="`loss`"):
        regime.compile("adam", loss="mse")
    for inputs, name in (
        ([kspace[:, 0], mask, maps], "`kspace`"),
        ([kspace, mask[..., 0], maps], "`mask`"),
        ([kspace, mask[:, :5], maps], "`mask`"),
    ):
        with pytest.raises(ValueError, match=name):
            regime(inputs, training=True)
    magnitude = models.AdjointNetwork(reconstruction="magnitude")
    with pytest.raises(ValueError, match="`model`.*complex"):
        HoldOut(magnitude)([kspace, mask, maps], training=True)
    regime.compile("adam", metrics=[loupe_tf.metrics.PSNR()])
    with pytest.raises(ValueError, match="`y`"):
        regime.fit(scans[0], verbose=0)


def test_maps_that_all_scans_share(scans, network):
    (kspace, mask, maps), _ = scans
    regime = HoldOut(network, seed=0)
    (_, _, shared), finite = regime.measure([kspace, mask, maps[:1]])
    np.testing.assert_array_equal(
        keras.ops.convert_to_numpy(shared),
        np.broadcast_to(maps[:1], shared.shape),
    )
    assert keras.ops.convert_to_numpy(finite).all()
