"""Is a mask learned from undersampled scans what full scans would teach?"""

import functools
import itertools

import keras
import numpy as np
import pytest
from keras import ops

from loupe_tf import masks, models
from loupe_tf.regimes import FromScans
from loupe_tf.samplers import LearnedMask, WithinScan

SIZE = (6, 5)
REGION = masks.calibration_region(SIZE, 2)
PROBABILITY = np.where(REGION, 1, np.linspace(0.95, 0.35, 30).reshape(SIZE))


def sampler(**options):
    return WithinScan(
        4,
        PROBABILITY,
        **{"hold_out": 0.4, "calibration": 2, "seed": 0} | options,
    )


def network(size=SIZE):
    """A network that mixes entries: none of its weights are near zero."""
    inner = models.cnn(
        (*size, 2),
        output_channels=2,
        depth=2,
        filters=3,
        normalization=None,
    )
    rng = np.random.default_rng(1)
    inner.set_weights(
        [rng.normal(size=w.shape) / 3 for w in inner.get_weights()]
    )
    return models.AdjointNetwork(inner, "complex")


def numpy_of(x):
    return ops.convert_to_numpy(x)


def draw(rng, number, chance):
    """Draw scans, what is offered of each, and what is held out."""
    scans = rng.random((number, *SIZE)) < PROBABILITY
    offered = scans & (rng.random(scans.shape) < chance / PROBABILITY)
    return [x[..., None].astype("float32") for x in (offered, scans & ~offered)]


def z_scores(samples):
    samples = np.asarray(samples, "float64")
    deviation = samples.std(axis=0, ddof=1) / np.sqrt(len(samples))
    return samples.mean(axis=0) / np.maximum(deviation, 1e-12)


@pytest.mark.parametrize("norm", ["squared", "absolute"])
@pytest.mark.parametrize("estimator", ["relaxed", "straight_through"])
def test_loss_is_that_of_full_scans(rng, estimator, norm):
    """To three standard errors, for relaxed and for binary masks."""
    regime = FromScans(
        network(), sampler(estimator=estimator, slope=5.0), norm=norm, seed=0
    )
    kspace = rng.normal(size=(1, 1, *SIZE, 2)).astype("float32")
    offered, held = draw(rng, 3000, regime.sampler.chance)
    kspace = np.tile(kspace, (3000, 1, 1, 1, 1))
    _, predicted = regime.reconstruct([kspace, None], offered, training=True)
    everything = np.ones((1, *SIZE, 1), "float32")
    full = numpy_of(regime.error(kspace, predicted, everything))
    weighted = regime.weigh(offered, held)
    found = numpy_of(regime.error(kspace, predicted, weighted))
    assert abs(z_scores(found - full)) < 3
    # The test would see it: without weights, the loss is too small.
    ignoring = numpy_of(regime.error(kspace, predicted, offered + held))
    assert z_scores(ignoring - full) < -10


def test_gradient_in_the_probabilities_is_that_of_full_scans(rng, gradient):
    """To three standard errors, for a network that is not linear."""
    regime = FromScans(network(), sampler(), seed=0)
    kspace = rng.normal(size=(1, 1, *SIZE, 2)).astype("float32")
    kspace = np.tile(kspace, (250, 1, 1, 1, 1))
    everything = np.ones((1, *SIZE, 1), "float32")
    share = rng.uniform(0.2, 0.8, (*SIZE, 1)).astype("float32")

    def difference(share, offered, held, uniform, weigh):
        offered, held, uniform, y = map(
            ops.convert_to_tensor, (offered, held, uniform, kspace)
        )
        mask = offered * ops.sigmoid(5.0 * (share - uniform))
        image = regime.reconstructor([y * mask[:, None], mask])
        predicted = regime.predict_kspace(image)
        return ops.mean(
            regime.error(kspace, predicted, weigh(offered, held))
            - regime.error(kspace, predicted, everything)
        )

    def gradients(weigh, times):
        found = []
        for _ in range(times):
            drawn = draw(rng, 250, regime.sampler.chance)
            drawn.append(rng.random(drawn[0].shape).astype("float32"))
            function = functools.partial(
                lambda drawn, share: difference(share, *drawn, weigh), drawn
            )
            found.append(gradient(function, share))
        return z_scores(found)

    z = gradients(regime.weigh, 24)
    assert np.abs(z).max() < 3.5 and np.mean(z**2) < 1 + 3 * np.sqrt(2 / z.size)
    assert np.abs(gradients(ops.add, 8)).max() > 5


def test_split_has_the_chances_that_the_weights_are_for(rng):
    regime = FromScans(network(), sampler(), seed=0)
    scans = (rng.random((20000, *SIZE)) < PROBABILITY)[..., None]
    offered, held = map(numpy_of, regime.split(scans.astype("float32"), True))
    assert np.array_equal(offered + held, scans)
    expected = regime.sampler.chance[..., None]
    deviation = np.sqrt(expected * (1 - expected) / len(scans)) + 1e-9
    assert np.abs((offered.mean(axis=0) - expected) / deviation).max() < 4
    weight = regime.weigh(np.zeros((1, *SIZE, 1)), 1.0)[0, ..., 0]
    q = held.sum(axis=0) / np.maximum((1 - offered).sum(axis=0), 1)
    outside = ~REGION
    np.testing.assert_allclose(1 / weight[outside], q[outside, 0], atol=0.03)
    assert not held[:, REGION].any()
    first, second = (regime.split(scans, False)[1] for _ in range(2))
    assert np.array_equal(numpy_of(first), numpy_of(second))


# What if all that the mask leaves out were held out? Five entries, all cases.
P0 = np.array([0.9, 0.7, 0.5, 0.8, 0.6])
P = np.array([0.5, 0.2, 0.3, 0.1, 0.4])
Q = (P0 - P) / (1 - P)
CASES = np.array(list(itertools.product([0, 1], repeat=5)))


def errors(mask):
    """Squared errors of a network of one hidden layer, `(n, 5)`."""
    rng = np.random.default_rng(3)
    data, first, second = rng.normal(size=5), *rng.normal(size=(2, 5, 5))
    return (np.tanh((mask * data) @ first) @ second - data) ** 2


def probability_of(cases, p):
    return np.prod(np.where(cases, p, 1 - p), axis=-1)


def expected_on_full_scans(p):
    """The error on all that the mask leaves out, on average."""
    return probability_of(CASES, p) @ ((1 - CASES) * errors(CASES)).sum(axis=1)


def expected_on_scans(p, q):
    """The error on what the scan has and the mask leaves out, over q."""
    total = 0
    for scan in CASES:
        chance = probability_of(CASES, scan * p / P0)
        left_out = (scan * (1 - CASES) * errors(CASES) / q).sum(axis=1)
        total += probability_of(scan, P0) * (chance @ left_out)
    return total


def derivative(function):
    steps = 1e-5 * np.eye(5)
    return np.array([function(P + s) - function(P - s) for s in steps]) / 2e-5


def test_thinning_needs_the_derivative_of_q():
    def q_of(p):
        return (P0 - p) / (1 - p)

    expected = expected_on_full_scans(P)
    np.testing.assert_allclose(expected_on_scans(P, Q), expected, rtol=1e-12)
    truth = derivative(expected_on_full_scans)
    with_q = derivative(lambda p: expected_on_scans(p, q_of(p)))
    np.testing.assert_allclose(with_q, truth, rtol=1e-6)
    stopped = derivative(lambda p: expected_on_scans(p, Q))
    # The gain of acquiring k itself is counted 1 / q times instead of once.
    unseen = np.array([_error_without(k) for k in range(5)])
    np.testing.assert_allclose(stopped - truth, (1 - 1 / Q) * unseen, rtol=1e-6)
    assert (np.abs(stopped - truth) > 0.3 * np.abs(truth)).any()


def _error_without(k):
    """The error at k of masks without k, on average over the others."""
    without = CASES[CASES[:, k] == 0]
    chance = probability_of(without, P) / (1 - P[k])
    return chance @ errors(without)[:, k]


def test_thinning_is_unbiased_for_binary_masks_and_not_for_relaxed(rng):
    """By draws, to three standard errors, as the first test above."""
    number = 100_000
    scans = rng.random((number, 5)) < P0
    uniform = rng.random((number, 5))

    def bias(mask):
        left_out = (1 - mask) * errors(mask)
        return scans * left_out / Q - left_out

    binary = bias(scans & (uniform < P / P0))
    assert np.abs(z_scores(binary)).max() < 3
    means = []
    for slope in (5, 20, 80):
        relaxed = bias(scans / (1 + np.exp(-slope * (P / P0 - uniform))))
        assert np.abs(z_scores(relaxed)).max() > 5
        means.append(np.abs(relaxed.mean(axis=0)).max())
    # It falls with the slope.
    assert means[0] > means[1] > means[2]


@pytest.mark.graph
def test_learns_and_is_saved(images, tmp_path):
    size = (16, 18)
    region = masks.calibration_region(size, 4)
    probability = np.where(region, 1, 0.6)
    rng = np.random.default_rng(0)
    kspace = rng.normal(size=(8, 1, *size, 2)).astype("float32")
    kspace /= 1 + np.hypot(*np.indices(size) - 8)[..., None].astype("float32")
    scans = rng.random((8, *size)) < probability
    scans = scans[..., None].astype("float32")
    regime = FromScans(
        network(size),
        WithinScan(4, probability, calibration=4, seed=0),
        seed=0,
    )
    regime.compile(keras.optimizers.Adam(0.01))
    logits = regime.sampling.get_layer("prob_mask").logits
    before = numpy_of(logits)
    history = regime.fit(
        [kspace * scans[:, None], scans], epochs=3, batch_size=4, verbose=0
    ).history
    assert np.isfinite(history["loss"]).all() and history["clipped"][-1] == 0
    assert not np.array_equal(before, numpy_of(logits))
    prob = masks.probability_from_model(regime.sampling)
    np.testing.assert_allclose(prob.mean(), 0.25, rtol=1e-5)
    assert prob[~region].max() <= 0.6 * 0.7 + 1e-6
    regime.save(tmp_path / "regime.keras")
    loaded = keras.models.load_model(tmp_path / "regime.keras")
    first, second = ({**x.get_config(), "model": 0} for x in (regime, loaded))
    assert first == second
    mask = masks.from_model(loaded.sampling)
    assert mask.acquired == 16 * 18 // 4
    assert np.array_equal(mask.array, masks.from_model(regime.sampling).array)


@pytest.mark.slow
def test_learns_the_mask_that_full_scans_would_teach():
    """Without a network, the best mask has the largest mean power (Parseval).

    The scans acquire rarely where the power is.
    """
    size, rng = (16, 18), np.random.default_rng(0)
    y, x = (np.arange(n)[:, None] - n // 2 for n in size)
    distance = np.hypot(y, x.T)
    power = rng.uniform(0.5, 2, size) / (1 + distance**2) ** 1.2
    kspace = rng.normal(size=(256, 1, *size, 2)) * np.sqrt(power)[..., None]
    mean = np.square(kspace).sum(axis=-1).mean(axis=(0, 1))
    region = masks.calibration_region(size, 2)
    probability = np.where(region, 1, 0.35 + 0.5 * np.minimum(distance / 8, 1))
    scans = (rng.random((256, *size)) < probability)[..., None]
    regime = FromScans(
        models.AdjointNetwork(None, "complex"),
        WithinScan(4, probability, 0.2, calibration=2, seed=0),
        seed=0,
    )
    regime.compile(keras.optimizers.Adam(0.05))
    measured = [kspace * scans[:, None], scans]
    regime.fit(
        [x.astype("float32") for x in measured],
        epochs=60,
        batch_size=64,
        verbose=0,
    )
    learned = masks.from_model(regime.sampling).array
    best = masks.binarize(mean, 4, 2)
    assert mean[learned].sum() > 0.99 * mean[best].sum()
    assert (learned & best).sum() > 0.85 * best.sum()
    # The largest P are where the scans acquire often, and miss it.
    prob = masks.probability_from_model(regime.sampling)
    assert mean[masks.binarize(prob, 4, 2)].sum() < 0.7 * mean[best].sum()


def test_reports_what_is_clipped(rng):
    probability = PROBABILITY.copy()
    probability[0, 0] = 0.045
    kspace = rng.normal(size=(400, 1, *SIZE, 2)).astype("float32")
    scans = (rng.random((400, *SIZE)) < probability)[..., None]
    regime = FromScans(
        network(), WithinScan(4, probability, 0.4, calibration=2), seed=0
    )
    found = regime.learn([kspace, scans.astype("float32")], False)
    assert 0 < numpy_of(found["clipped"]).mean() < 0.02
    assert regime.weigh(0.0, 1.0).max() == pytest.approx(50)


def test_masks_of_lines(rng):
    probability = np.where(masks.calibration_region((1, 18), 2), 1, 0.7)
    lines = WithinScan(4, probability, calibration=2, seed=0)
    with pytest.raises(ValueError, match="`size`"):
        FromScans(network((16, 18)), lines)
    regime = FromScans(network((16, 18)), lines, size=(16, 18), seed=0)
    kspace = rng.normal(size=(2, 1, 16, 18, 2)).astype("float32")
    scans = (rng.random((2, 1, 18)) < probability)[..., None]
    loss = regime.learn([kspace, scans.astype("float32")], True)["loss"]
    assert np.isfinite(numpy_of(loss)).all() and loss.shape == (2,)
    assert masks.from_model(regime.sampling).matrix == (16, 18)


@pytest.mark.parametrize(
    "arguments, expected",
    [
        ({"sampler": LearnedMask(4)}, "`sampler`.*WithinScan"),
        ({"smallest": 0.0}, "`smallest`"),
        ({"norm": "mixed"}, "`norm`"),
    ],
)
def test_refuses_invalid_arguments(arguments, expected):
    with pytest.raises(ValueError, match=expected):
        FromScans(network(), **{"sampler": sampler(), **arguments})
