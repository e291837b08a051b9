import keras
import numpy as np
import pytest
from keras import ops

from loupe_tf import models
from loupe_tf.fixed_point import Anderson, Broyden, Exact, Phantom, Picard

SIZE = (8, 9)


def contracting():
    """A network with small weights."""
    small = keras.initializers.RandomNormal(0.03, seed=0)
    options = {"padding": "same", "kernel_initializer": small}
    return keras.Sequential(
        [
            keras.Input((None, None, 2)),
            keras.layers.Conv2D(3, 3, activation="tanh", **options),
            keras.layers.Conv2D(2, 3, **options),
        ]
    )


def step(**kwargs):
    return models.ProximalGradient(contracting(), residual=False, **kwargs)


def scan(rng, batch=3):
    """K-space and mask of one coil."""
    mask = (rng.uniform(size=(1, *SIZE, 1)) < 0.5).astype("float32")
    kspace = rng.normal(size=(batch, 1, *SIZE, 2)).astype("float32")
    return [kspace * mask[:, None], np.repeat(mask, batch, 0)]


def test_equilibrium_of_the_unrolled_network(rng):
    """Also of zeros and without an estimate of the scale."""
    inputs = scan(rng)
    inputs[0][1] = 0
    unrolled = step(iterations=12, normalize=False)
    expected = unrolled.predict_on_batch(inputs)
    for solver in (Picard(1e-6), Anderson(1e-6), Broyden(1e-6)):
        model = models.DeepEquilibrium(unrolled, solver)
        np.testing.assert_allclose(
            model.predict_on_batch(inputs), expected, atol=1e-5
        )


def test_limits_change_what_is_compiled(rng):
    inputs = scan(rng)
    model = models.DeepEquilibrium(step(), Picard(1e-6, iterations=50))
    with pytest.raises(ValueError, match="has been built"):
        model.set_limits(iterations=1)
    best = model.predict_on_batch(inputs)
    found = model.search(inputs)
    assert (ops.convert_to_numpy(found.residual) <= 1e-6).all()
    model.set_limits(iterations=1)
    first = model.predict_on_batch(inputs)
    # One iteration, and f once more.
    unrolled = models.ProximalGradient(
        model.unrolled.network, iterations=2, residual=False
    )
    np.testing.assert_allclose(
        first, unrolled.predict_on_batch(inputs), atol=1e-5
    )
    model.set_limits(tolerance=1e-3, iterations=50)
    close = model.predict_on_batch(inputs)
    errors = [np.linalg.norm(each - best) for each in (first, close)]
    assert errors[0] > 10 * errors[1] > 0
    with pytest.raises(ValueError, match="`tolerance`"):
        model.set_limits(tolerance=1e-9)
    with pytest.raises(ValueError, match="`iterations`"):
        model.set_limits(iterations=0)


def trained(rng, reconstructor):
    """The weights of a reconstructor after one step, and before."""
    whole = models.loupe_model(
        (*SIZE, 2), acceleration=2, reconstructor=reconstructor, seed=0
    )
    images = rng.normal(size=(3, *SIZE, 2)).astype("float32")
    before = whole.get_weights()
    whole.compile(keras.optimizers.SGD(0.1), loss="mse")
    whole.train_on_batch(images, images)
    return whole, before


@pytest.mark.slow
@pytest.mark.parametrize("gradient", ["exact", "phantom"])
def test_gradient_is_that_of_many_iterations(gradient):
    """The network, the step's length and the learned mask have gradients."""
    solver = Broyden(1e-6, iterations=25)
    whole, before = trained(
        np.random.default_rng(0),
        models.DeepEquilibrium(step(), solver, gradient),
    )
    other, _ = trained(np.random.default_rng(0), step(iterations=12))
    assert float(ops.convert_to_numpy(whole.reconstructor.residual)) < 1e-5
    moved = dict(zip([w.path for w in whole.weights], before))
    pairs = list(zip(whole.trainable_weights, other.trainable_weights))
    assert len(pairs) == len(other.trainable_weights) == 6
    for a, b in pairs:
        old = moved[a.path]
        a, b = (ops.convert_to_numpy(each) - old for each in (a, b))
        assert np.abs(b).max() > 0
        np.testing.assert_allclose(
            a, b, rtol=0.05, atol=0.02 * np.abs(b).max(), err_msg=str(old)
        )


def test_largest_of_all_batches(rng):
    """It stays when a batch with a smaller value follows."""
    whole, _ = trained(rng, models.DeepEquilibrium(step(), Picard(1e-6, 2)))
    model = whole.reconstructor
    found = []
    for fill in (1, 0):
        images = np.full((3, *SIZE, 2), fill, "float32")
        images += 1e-3 * rng.normal(size=images.shape).astype("float32")
        found.append(float(model.residual))
        whole.train_on_batch(images, images)
    found.append(float(model.residual))
    assert len(set(found)) == 3
    np.testing.assert_allclose(float(model.largest_residual), max(found))
    assert float(model.largest_rate) >= float(model.rate) > 0
    model.largest_residual.assign(0.0)
    whole.train_on_batch(images, images)
    np.testing.assert_allclose(
        float(model.largest_residual), float(model.residual)
    )


def first_step(rng, gradient):
    """Moved weights of `contracting_cnn` after its first step of training."""
    keras.utils.set_random_seed(0)
    network = models.contracting_cnn((None, None, 2), 0.2, depth=1)
    # With kernels larger than the bound its estimate has a say.
    for layer in network.layers:
        if hasattr(layer, "directions"):
            layer.kernel.assign(4 * layer.kernel)
    whole, before = trained(
        rng,
        models.DeepEquilibrium(
            # Few iterations of its solver are no linear function of a gradient.
            models.MoDL(network, residual=False, solver_iterations=12),
            Picard(1e-6),
            gradient,
        ),
    )
    return {
        w.path.removeprefix(whole.name): ops.convert_to_numpy(w) - old
        for w, old in zip(whole.weights, before)
        if "output" in w.path
    }


@pytest.mark.slow
def test_the_norm_moves_once_in_a_step():
    """A sum of many terms is the exact gradient, of the same function."""
    exact, phantom = (
        first_step(np.random.default_rng(0), gradient)
        for gradient in (Exact(Picard(1e-6)), Phantom(6))
    )
    assert len(exact) == 3 == len(phantom)
    for (name, a), b in zip(exact.items(), phantom.values()):
        assert np.abs(a).max() > 0, name
        np.testing.assert_allclose(
            a, b, rtol=1e-2, atol=1e-2 * np.abs(a).max(), err_msg=name
        )


def test_saved_with_its_limits(rng, tmp_path):
    inputs = scan(rng)
    model = models.DeepEquilibrium(
        step(), Broyden(memory=4), gradient="shine_refined"
    )
    model.predict_on_batch(inputs)
    model.set_limits(tolerance=2e-5, iterations=7)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert int(ops.convert_to_numpy(loaded.iterations)) == 7
    assert loaded.solver.memory == 4 and loaded.gradient.refinement == 5
    np.testing.assert_allclose(
        loaded.predict_on_batch(inputs), model.predict_on_batch(inputs)
    )


class Pair(models.ProximalGradient):
    def start(self, scan, kspace):
        return (*super().start(scan, kspace), 0)


@pytest.mark.parametrize(
    "argument, make",
    [
        ("unrolled", lambda: models.DeepEquilibrium(contracting())),
        ("unrolled", lambda: models.DeepEquilibrium(step(shared=False))),
        ("solver", lambda: models.DeepEquilibrium(step(), "broyden")),
        ("gradient", lambda: models.DeepEquilibrium(step(), gradient="none")),
    ],
)
def test_invalid(argument, make):
    with pytest.raises(ValueError, match=f"`{argument}`"):
        make()


def test_refused_when_its_layers_are_known(rng):
    """Batch statistics would mix examples; a state has one tensor."""
    inputs = scan(rng)
    with pytest.raises(ValueError, match="BatchNormalization"):
        models.DeepEquilibrium(models.MoDL())(inputs)
    with pytest.raises(ValueError, match="one tensor"):
        models.DeepEquilibrium(Pair(contracting()))(inputs)


@keras.saving.register_keras_serializable(package="tests")
class Wrapped(keras.layers.Layer):
    """A layer with another in it."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def call(self, x, training=None):
        return self.inner(x, training=training)


@pytest.mark.parametrize(
    "kind", ["Dropout", "AlphaDropout", "GaussianNoise", "GaussianDropout"]
)
def test_layers_that_draw_are_refused_within_others_too(rng, kind):
    network = Wrapped(getattr(keras.layers, kind)(0.1))
    model = models.DeepEquilibrium(
        models.ProximalGradient(network, residual=False)
    )
    with pytest.raises(ValueError, match=f"`unrolled`.*{kind}"):
        model(scan(rng))


def test_what_is_not_finite_stays_so(rng):
    """And the other examples are as without it."""
    kspace, mask = scan(rng)
    model = models.DeepEquilibrium(step(), Picard(1e-4))
    expected = model.predict_on_batch([kspace, mask])
    kspace[1, 0, 2, 3, 0] = np.nan
    found = model.predict_on_batch([kspace, mask])
    assert np.isnan(found[1]).all()
    np.testing.assert_allclose(found[::2], expected[::2], atol=1e-5)
