import types

import keras
import numpy as np
import pytest

from experiments import slope_methods
from experiments.gap_slope import GapSlope
from experiments.presets.four_s import ESTIMATORS, SCHEDULES, VARIANTS
from loupe_tf import callbacks, masks, models
from loupe_tf.models import loupe_model
from loupe_tf.run_folder import RunFolder

SETTINGS = {
    "slope_monitor": "loss",
    "patience": 3,
    "factor": 2.0,
    "cooldown": 1,
    "first_slope": 20.0,
    "last_slope": 2000.0,
    "epochs": [5, 2],
    "learning_rate": 0.1,
    "anneal": False,
    "batch_size": 2,
}


@pytest.fixture
def fits(monkeypatch):
    """What each part of a training is asked for."""
    found = []

    def fit(model, run, settings, *data, slope_callback, callbacks, part):
        found.append((settings["epochs"], slope_callback, callbacks, part))
        return {"loss": [1.0]}, True

    monkeypatch.setattr(slope_methods.conducting, "fit", fit)
    return found


def _fit(method, **settings):
    part = types.SimpleNamespace(images=None)
    slope_methods.fit_by_method(
        None,
        types.SimpleNamespace(method=method),
        {**SETTINGS, **settings},
        {"train": part, "validation": part},
        None,
    )


@pytest.mark.parametrize("method", ["4s", "4s_train_loss"])
def test_4s(fits, method):
    _fit(method)
    ((epochs, callback, others, _),) = fits
    assert epochs == [5, 2] and others == []
    assert isinstance(callback, callbacks.SelfShrinkingSigmoidSlope)
    assert callback.patience == 3 and callback.monitor == "loss"


@pytest.mark.parametrize("method", SCHEDULES)
def test_a_schedule_spans_the_first_round(fits, method, monkeypatch):
    monkeypatch.setattr(callbacks, "SlopeSchedule", lambda schedule: schedule)
    _fit(method)
    slope = fits[0][1]
    assert slope(0) == pytest.approx(20.0)
    assert slope(4) == pytest.approx(2000.0)


@pytest.mark.parametrize("method", ["fixed", *ESTIMATORS])
def test_others_hold_their_slope(fits, method):
    _fit(method)
    assert fits[0][1] is False


def test_annealing_is_a_cosine_over_all_epochs(fits):
    _fit("4s_annealed", anneal=True)
    (callback,) = fits[0][2]
    assert callback.schedule(0) == pytest.approx(0.1)
    assert callback.schedule(7) == pytest.approx(0)


def test_a_cycle_warms_up_and_falls_to_zero(fits, monkeypatch):
    monkeypatch.setattr(models, "freeze_mask", lambda model: "frozen")
    history = {"loss": [1.0], "slope": [20.0]}
    fit = slope_methods.conducting.fit
    monkeypatch.setattr(
        slope_methods.conducting,
        "fit",
        lambda *x, **y: (fit(*x, **y) and dict(history), True),
    )
    monkeypatch.setattr(slope_methods, "_slope_of", lambda model: 20.0)
    _fit("4s_cycle", freeze_mask=True, cycle=True, epochs=[5, 20])
    first, second = fits
    assert first[0] == [5, 0] and first[2] == []
    assert second[0] == [0, 20] and second[1] is False
    (callback,) = second[2]
    rates = [callback.schedule(epoch) for epoch in (0, 1, 2, 11, 20)]
    assert rates == pytest.approx([0.01, 0.055, 0.1, 0.05, 0.0])


def test_a_gap_needs_the_loss_of_relaxed_masks(fits):
    _fit("4s_quarter_gap", gap=0.2)
    ((_, callback, others, _),) = fits
    assert isinstance(callback, GapSlope) and callback.gap == 0.2
    assert isinstance(others[0], callbacks.MaskValidation)


def test_the_gap_raises_the_slope():
    model = loupe_model((16, 18, 1), 4, slope=20.0, filters=2, depth=1)
    callback = GapSlope(gap=0.5, factor=1.5, max_slope=40.0)
    callback.set_model(model)
    slopes = []
    for exact, relaxed in ((1.0, 1.0), (1.2, 1.0), (1.0, 1.2), (1.2, 1.0)):
        logs = {"val_loss": exact, "val_relaxed_loss": relaxed}
        callback.on_epoch_end(0, logs)
        slopes.append(float(model.get_layer("sampled_mask").slope))
    assert slopes == [20.0, 30.0, 30.0, 40.0]


def test_a_start_from_the_spectrum_takes_what_images_have_most_of(rng):
    images = np.zeros((3, 16, 18, 1), "float32")
    images[:, 6:10, 7:11] = rng.uniform(1, 2, size=(3, 4, 4, 1))
    model = loupe_model(
        (16, 18, 1), 4, calibration=None, filters=2, depth=1, seed=0
    )
    slope_methods.start_from_spectrum(model, images)
    found = masks.from_model(model).array
    spectrum = np.abs(np.fft.fft2(images[..., 0])).mean(0)
    expected = masks.binarize(np.fft.fftshift(spectrum / spectrum.max()), 4)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("variant", "epochs"),
    [
        ("4s_quarter_warm", 4),
        ("4s_quarter_average", 3),
        ("4s_quarter_growing_batches", 3),
    ],
)
def test_parts_of_a_variant(tmp_path, images, variant, epochs):
    model = loupe_model((16, 18, 1), 4, slope=20.0, filters=2, depth=1, seed=0)
    model.compile(keras.optimizers.Adam(1e-2), loss="mse")
    part = types.SimpleNamespace(images=images)
    own = VARIANTS[variant]
    settings = {**SETTINGS, "slope_monitor": "val_loss", "backup": False, **own}
    settings |= {"epochs": [2, 1], **({"warm": 1} if "warm" in own else {})}
    network = model.reconstructor.get_weights()
    history = slope_methods.fit_by_method(
        model,
        types.SimpleNamespace(method=variant, name="a", seed=0),
        settings,
        {"train": part, "validation": part},
        RunFolder(tmp_path),
    )
    assert len(history["loss"]) == len(history["slope"]) == epochs
    assert np.isfinite(history["val_loss"]).all()
    moved = zip(network, model.reconstructor.get_weights(), strict=True)
    assert any((old != new).any() for old, new in moved)
    # What is left is what the best epoch was validated with.
    loss = model.evaluate(images, images, batch_size=8, verbose=0)
    assert loss == pytest.approx(history["val_loss"][-1], rel=1e-4) or (
        loss == pytest.approx(min(history["val_loss"]), rel=1e-4)
    )
