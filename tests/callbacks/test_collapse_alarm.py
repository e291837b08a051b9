import pytest

from loupe_tf.callbacks import CollapseAlarm


class Model:
    stop_training = False


def run(values, **arguments):
    alarm = CollapseAlarm(**arguments)
    alarm.set_model(Model())
    alarm.on_train_begin()
    logs = [{"energy_ratio": value} for value in values]
    for epoch, each in enumerate(logs):
        alarm.on_epoch_end(epoch, each)
    return alarm, [each["collapsed"] for each in logs]


def test_a_network_that_is_still_filling_in_is_no_collapse(recwarn):
    alarm, collapsed = run([0.0, 0.2, 0.6, 0.9], after=2)
    assert alarm.alarmed_at is None and not any(collapsed)
    assert not recwarn.list


@pytest.mark.parametrize("low", [0.1, float("nan")])
@pytest.mark.parametrize("stop", [False, True])
def test_it_warns_once_and_stops_if_asked(low, stop):
    with pytest.warns(UserWarning, match="energy_ratio.*epoch 1") as warned:
        alarm, collapsed = run([0.9, low, low], after=0, stop=stop)
    assert len(warned) == 1 and collapsed == [0, 1, 1]
    assert alarm.alarmed_at == 1 and alarm.model.stop_training is stop


def test_arguments_are_checked():
    with pytest.raises(ValueError, match="`after`"):
        CollapseAlarm(after=-1)
    with pytest.raises(ValueError, match="`monitor`.*energy_ratio"):
        run([1.0], monitor="energy")
