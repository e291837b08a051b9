import warnings

import keras
import numpy as np
import pytest
from saved_apart import loaded_with_weights_apart

from loupe_tf import models, numpy_fourier
from loupe_tf.callbacks import CollapseAlarm
from loupe_tf.regimes import Distillation, HoldOut


def twin(network):
    """A reconstructor with the same weights."""
    other = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(network)
    )
    other(
        [np.zeros((1, 2, 16, 18, 2)), np.ones((1, 16, 18, 1))]
        + [np.ones((1, 2, 16, 18, 2))]
    )
    other.set_weights(network.get_weights())
    return other


@pytest.mark.graph
def test_without_weight_it_is_hold_out(scans, network):
    inputs, _ = scans
    network(inputs)
    other = twin(network)
    losses = []
    for regime in (
        HoldOut(network, seed=0),
        Distillation(other, weight=0, validation=0, seed=0),
    ):
        regime.compile(keras.optimizers.Adam(1e-2))
        steps = [regime.train_on_batch(inputs)[0] for _ in range(3)]
        losses.append(np.float32(steps))
    np.testing.assert_array_equal(*losses)
    for ours, theirs in zip(network.get_weights(), other.get_weights()):
        np.testing.assert_array_equal(ours, theirs)


def test_the_teacher_is_the_moving_average(scans, network):
    inputs, _ = scans
    regime = Distillation(network, momentum=(0.5, 0.5), seed=0)
    regime.compile(keras.optimizers.SGD(0.0))
    regime.train_on_batch(inputs)
    student = [w.copy() for w in network.get_weights()]
    for ours, theirs in zip(student, regime.teacher.get_weights()):
        np.testing.assert_array_equal(ours, theirs)
    network.set_weights([w + 1 for w in student])
    for _ in range(3):
        regime.train_on_batch(inputs)
    for ours, theirs in zip(student, regime.teacher.get_weights()):
        np.testing.assert_allclose(theirs, ours + 1 - 0.5**3, rtol=1e-5)
    assert len(regime.trainable_variables) == len(network.trainable_variables)
    regime.use_teacher()
    for ours, theirs in zip(network.get_weights(), regime.teacher.weights):
        np.testing.assert_array_equal(ours, keras.ops.convert_to_numpy(theirs))


@pytest.mark.slow
def test_it_learns_from_a_teacher_that_has_filled_in_nothing(scans):
    """As hold-out does: one coil, so the first image is the measurement."""
    (_, mask, _), truth = scans
    full = numpy_fourier.fft2c(truth @ [1, 1j])
    kspace = np.stack([full.real, full.imag], -1)[:, None].astype("float32")
    kspace = np.where(mask[:, None] > 0, kspace, 0)
    energy = []
    for regime in (HoldOut, Distillation):
        keras.utils.set_random_seed(0)
        cnn = models.cnn(
            (None, None, 2), 2, filters=8, depth=2, normalization=None
        )
        unrolled = models.MoDL(cnn, iterations=1, solver_iterations=2)
        training = regime(unrolled, keep=4, seed=0)
        training.compile(keras.optimizers.Adam(1e-2))
        training.fit([kspace, mask], epochs=30, batch_size=6, verbose=0)
        image = keras.ops.convert_to_numpy(unrolled([kspace, mask]))
        missing = numpy_fourier.fft2c(image @ [1, 1j]) * (mask[..., 0] == 0)
        energy.append(np.linalg.norm(missing))
    hold_out, distilled = energy
    assert distilled > 0.5 * hold_out > 0


def test_the_gap_is_outside_of_all_that_was_measured(
    scans, network, rng, monkeypatch
):
    """Not in the samples V either, of which the teacher is told nothing."""
    (kspace, mask, maps), _ = scans
    regime = Distillation(network, validation=0.3, seed=0)
    regime([kspace, mask, maps])
    ours, theirs = rng.normal(size=(2, *kspace.shape)).astype("float32")
    image = np.zeros((len(kspace), 16, 18, 2), "float32")
    splits = []

    def rebuild(kspace, seen, maps, training):
        splits.append(keras.ops.convert_to_numpy(seen))
        return tuple(map(keras.ops.convert_to_tensor, (image, ours)))

    monkeypatch.setattr(regime, "rebuild", rebuild)
    other = keras.ops.convert_to_tensor(theirs)
    monkeypatch.setattr(regime, "predict_kspace", lambda *_: other)
    tensors = [keras.ops.convert_to_tensor(x) for x in (kspace, mask, maps)]
    found = regime.learn(tensors, training=True)
    spare = keras.ops.convert_to_numpy(regime._spare(mask))
    held = mask - spare - splits[0]
    assert spare.any() and held.any()

    def energy(k, where):
        return (k**2 * where[:, None]).sum((1, 2, 3, 4))

    expected = energy(ours - theirs, 1 - mask) / energy(kspace, held)
    gap = keras.ops.convert_to_numpy(found["gap"])
    np.testing.assert_allclose(gap, expected, rtol=1e-4)


def test_student_and_teacher_are_saved_apart(scans, tmp_path):
    """Also where the network has several copies itself."""
    inputs, _ = scans
    cnn = models.cnn((None, None, 2), 2, filters=2, depth=2)
    regime = Distillation(models.MoDL(cnn, iterations=2, shared=False), seed=0)
    regime(inputs)
    loaded_with_weights_apart(regime, tmp_path / "regime.keras")


@pytest.mark.slow
def test_saved_and_restored_in_training(scans, network, tmp_path):
    inputs, _ = scans
    regime = Distillation(network, momentum=(0.5, 0.9), steps=5, seed=0)
    regime.compile("adam")
    regime.train_on_batch(inputs)
    regime.save(tmp_path / "regime.keras")
    loaded = keras.models.load_model(tmp_path / "regime.keras")
    for _ in range(2):
        first, second = (
            each.train_on_batch(inputs, return_dict=True)
            for each in (regime, loaded)
        )
        assert first == pytest.approx(second, rel=1e-5)


def test_nothing_is_trained_on_what_validates(scans, network):
    (kspace, mask, maps), _ = scans
    regime = Distillation(network, validation=0.3, seed=0)
    spare = keras.ops.convert_to_numpy(regime._spare(mask))
    assert 0.1 < spare.sum() / mask.sum() < 0.4
    assert (spare <= mask).all() and not spare[:, 6:10, 7:11].any()
    losses = []
    for x in (kspace, kspace + 9 * spare[:, None]):
        again = Distillation(network, validation=0.3, seed=0)
        found = again([x, mask, maps], training=True)
        losses.append(keras.ops.convert_to_numpy(found["loss"]))
    np.testing.assert_array_equal(*losses)


@pytest.mark.slow
def test_the_alarm_catches_the_collapse_and_nothing_else(scans):
    """The recipe without an anchor fades; with it, the energy is there."""
    inputs, _ = scans
    keras.utils.set_random_seed(0)
    cnn = models.cnn((None, None, 2), 2, filters=8, depth=2, normalization=None)
    direct = models.AdjointNetwork(cnn, "direct")
    start = HoldOut(direct, seed=0)
    start.compile(keras.optimizers.Adam(1e-2))
    start.fit(inputs, epochs=40, batch_size=6, verbose=0)
    weights = direct.get_weights()
    for anchored in (True, False):
        direct.set_weights(weights)
        regime = Distillation(
            direct, momentum=(0.5, 0.5), steps=100, anchored=anchored, seed=0
        )
        regime.compile(keras.optimizers.Adam(2e-2))
        alarm = CollapseAlarm(below=0.25, after=5, stop=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            history = regime.fit(
                inputs, epochs=60, batch_size=6, callbacks=[alarm], verbose=0
            ).history
        if anchored:
            assert alarm.alarmed_at is None and not any(history["collapsed"])
    assert 5 <= alarm.alarmed_at < 60
    assert len(history["loss"]) == alarm.alarmed_at + 1
    # Its loss says nothing of it.
    assert history["loss"][-1] < history["loss"][0]


def test_arguments_are_checked(network):
    for arguments, name in (
        ({"weight": -1}, "`weight`"),
        ({"momentum": 0.9}, "`momentum`"),
        ({"momentum": (0.9, 1)}, "`momentum`"),
        ({"validation": 1}, "`validation`"),
        ({"splits": 2}, "`splits`"),
    ):
        with pytest.raises(ValueError, match=name):
            Distillation(network, **arguments)


@pytest.mark.slow
def test_a_teacher_that_counts(scans):
    """An equilibrium has integers among its weights."""
    (kspace, mask, maps), _ = scans
    keras.utils.set_random_seed(0)
    cnn = models.cnn((None, None, 2), 2, filters=2, depth=2, normalization=None)
    equilibrium = models.DeepEquilibrium(models.ProximalGradient(cnn))
    regime = Distillation(equilibrium, seed=0, steps=4)
    regime.compile("sgd")
    regime.train_on_batch([kspace, mask, maps])
    counts = [
        int(keras.ops.convert_to_numpy(x.iterations))
        for x in (regime.teacher, equilibrium)
    ]
    assert counts[0] == counts[1]
