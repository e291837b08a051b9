import types

import pytest

from experiments import slope_methods
from experiments.presets.four_s import ESTIMATORS, SCHEDULES
from loupe_tf import callbacks

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
