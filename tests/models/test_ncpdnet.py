"""NC-PDNet, and what it shares with other reconstructors of curves."""

import functools
import sys

import keras
import numpy as np
import pytest
from keras import ops

from loupe_tf import models, samplers, trajectories
from loupe_tf.layers.float32_layer import Float32Layer
from loupe_tf.numpy_fourier import nudft, nudft_adjoint
from loupe_tf.operators import NonUniform, density_compensation

SIZE = (9, 11)
SPOKES = trajectories.radial(shots=7, samples=12, golden=True)
FINE = {"buffers": 2, "accuracy": 1e-6}


def channels(x):
    return np.stack([x.real, x.imag], -1).astype("float32")


def draw(rng, *shape):
    return rng.normal(size=(*shape, 2)) @ [1, 1j]


def small(kernel=3):
    return keras.Sequential(
        [
            keras.Input((None, None, 6)),
            keras.layers.Conv2D(4, kernel, padding="same", activation="relu"),
            keras.layers.Conv2D(4, kernel, padding="same"),
        ]
    )


def measure(image, positions, maps=None):
    """The exact samples of `(batch, H, W)`, as a reconstructor takes them."""
    coils = image[:, None] if maps is None else maps * image[:, None]
    samples = [nudft(each, k) for each, k in zip(coils, positions)]
    return channels(np.stack(samples))


def run(model, *inputs):
    inputs = [np.asarray(x, "float32") for x in inputs]
    return ops.convert_to_numpy(model(inputs))


@pytest.mark.parametrize("normalize", [False, True])
def test_on_a_grid_it_is_xpdnet(rng, normalize):
    """Rows of the grid, without density compensation, are a mask of lines."""
    rows = [0, 2, 3, 4, 5, 8]
    mask = np.zeros((1, SIZE[0], 1, 1), "float32")
    mask[:, rows] = 1
    positions = trajectories.epi(SIZE, shots=SIZE[0]).positions[rows][None]
    image, maps = draw(rng, 2, *SIZE), draw(rng, 2, 3, *SIZE)
    maps /= np.linalg.norm(maps, axis=1, keepdims=True)
    samples = measure(image, [positions[0]] * 2, maps)
    kspace = np.zeros((2, 3, *SIZE, 2), "float32")
    kspace[:, :, rows] = samples
    options = {"iterations": 2, "shared": True, "normalize": normalize}
    network = small()
    found = run(
        models.NCPDNet(
            SIZE, network, density_compensation=False, **FINE, **options
        ),
        samples,
        positions,
        channels(maps),
    )
    expected = run(
        models.XPDNet(network, buffers=2, **options),
        kspace,
        mask,
        channels(maps),
    )
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_iteration(rng):
    """`X = X + N([X, Aᴴ D (A X₁ - y)])`, in NumPy, for two coils."""
    image, maps = draw(rng, 1, *SIZE), draw(rng, 1, 2, *SIZE)
    positions = SPOKES.positions[None]
    y = measure(image, positions, maps) @ [1, 1j]
    density = density_compensation(NonUniform(positions, SIZE, accuracy=1e-6))
    density = ops.convert_to_numpy(density)[..., 0]

    def adjoint(samples):
        coils = nudft_adjoint(density * samples, SPOKES.positions, SIZE)
        return (maps.conj() * coils).sum(1)

    x = adjoint(y)
    residual = nudft(maps * x[:, None], SPOKES.positions) - y
    expected = x - adjoint(residual) / 2
    # N is minus a half of u, for each of the two images.
    kernel = np.zeros((1, 1, 6, 4), "float32")
    kernel[..., [4, 5, 4, 5], range(4)] = -0.5
    network = keras.layers.Conv2D(4, 1, use_bias=False)
    network.build((None, None, None, 6))
    network.set_weights([kernel[0, 0][None, None]])
    model = models.NCPDNet(SIZE, network, iterations=1, normalize=False, **FINE)
    found = run(model, channels(y), positions, channels(maps)) @ [1, 1j]
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_true_image_has_no_gradient(rng):
    """The network's second half is 0 there, also with one's own positions."""
    image, positions = draw(rng, 2, *SIZE), rng.uniform(-0.5, 0.5, (2, 5, 6, 2))
    samples = measure(image, positions)
    model = models.NCPDNet(SIZE, lambda_layer(), iterations=1, **FINE)
    tensors = model.operator_inputs(ops.convert_to_tensor(positions, "float32"))
    buffers = np.concatenate([channels(image)] * 2, axis=-1)
    model.build([samples.shape, positions.shape])
    (found,) = model.step(
        0, model.operator(*tensors), samples, ops.convert_to_tensor(buffers)
    )
    np.testing.assert_allclose(ops.convert_to_numpy(found), buffers, atol=1e-4)


def lambda_layer():
    """A layer that returns the gradient u for both images."""
    return keras.layers.Lambda(lambda x: ops.concatenate([x[..., -2:]] * 2, -1))


def test_order_of_samples_does_not_matter(rng):
    """Nor do neighbours in a batch, whose trajectories are others."""
    image = draw(rng, 2, *SIZE)
    positions = np.stack(
        [SPOKES.positions, rng.uniform(-0.5, 0.5, SPOKES.positions.shape)]
    )
    samples = measure(image, positions)
    model = models.NCPDNet(SIZE, small(), iterations=2, **FINE)
    both = run(model, samples, positions)
    order = rng.permutation(7 * 12)

    def shuffled(x, axis):
        shape = x.shape
        flat = x.reshape(*shape[:axis], -1, 2)
        return np.take(flat, order, axis).reshape(shape)

    alone = run(model, shuffled(samples[1:], 2), shuffled(positions[1:], 1))
    np.testing.assert_allclose(alone, both[1:], atol=1e-4)
    assert np.abs(both[0] - both[1]).max() > 1e-2


def test_rotated_by_90_degrees(rng, monkeypatch):
    """An image and its trajectory that turn turn the reconstruction."""
    # So many that the random image they start from leaves no trace.
    module = sys.modules["loupe_tf.operators.density_compensation"]
    monkeypatch.setattr(module, "POWER_ITERATIONS", 200)
    size = (9, 9)
    image = draw(rng, 1, *size)
    samples = measure(image, SPOKES.positions[None])
    # Convolutions with one pixel do not know of directions.
    model = models.NCPDNet(size, small(kernel=1), iterations=2, **FINE)
    found = run(model, samples, SPOKES.positions[None])
    # By np.rot90, what was along +W is along -H.
    turned = SPOKES.positions[None][..., ::-1] * [-1, 1]
    np.testing.assert_allclose(
        measure(np.rot90(image, axes=(1, 2)), turned), samples, atol=1e-5
    )
    np.testing.assert_allclose(
        run(model, samples, turned),
        np.rot90(found, axes=(1, 2)),
        atol=1e-4,
    )


def test_a_trajectory_of_its_own(rng):
    """It gives the same image, and refuses other positions."""
    samples = measure(draw(rng, 1, *SIZE), SPOKES.positions[None])
    free = models.NCPDNet(SIZE, small(), iterations=1, **FINE)
    expected = run(free, samples, SPOKES.positions[None])
    fixed = models.NCPDNet(
        SIZE, free.network, iterations=1, trajectory=SPOKES, **FINE
    )
    found = run(fixed, samples, SPOKES.positions[None])
    np.testing.assert_allclose(found, expected, atol=1e-5)
    other = SPOKES.positions[None] + 1e-3
    assert np.isnan(run(fixed, samples, other)).all()
    with pytest.raises(ValueError, match=r"`positions`.*\(1, 7, 12, 2\).*6"):
        fixed([samples[:, :, :6], SPOKES.positions[None, :6].astype("float32")])


@keras.saving.register_keras_serializable(package="tests")
class Positions(Float32Layer):
    """Positions that are learned."""

    def build(self, shape):
        spokes = SPOKES.positions[None]
        self.positions = self.add_weight(
            shape=spokes.shape,
            initializer=lambda shape, dtype: ops.cast(spokes, dtype),
            name="positions",
        )

    def call(self, inputs):
        return ops.convert_to_tensor(self.positions)


@keras.saving.register_keras_serializable(package="tests")
class Learned(samplers.Sampler):
    curves = True

    def __call__(self, reference):
        return Positions(name="sampled_trajectory")(reference)


@functools.cache
def trained(checkpointing):
    """Learned positions and a network after a step, and its first weights.

    One of the examples has no signal.
    """
    keras.utils.set_random_seed(0)
    model = models.loupe_model(
        (*SIZE, 2),
        sampler=Learned(),
        coils=2,
        reconstructor=models.NCPDNet(
            SIZE,
            small(),
            iterations=2,
            buffers=2,
            accuracy=1e-3,
            checkpointing=checkpointing,
        ),
        seed=0,
    )
    rng = np.random.default_rng(0)
    kspace, maps, image = (
        channels(draw(rng, 3, *shape))
        for shape in ((2, *SIZE), (2, *SIZE), SIZE)
    )
    kspace[0] = 0
    before = model.get_weights()
    # `test_unrolled.py` does this compiled.
    model.compile(keras.optimizers.SGD(1e-2), loss="mse", run_eagerly=True)
    model.train_on_batch([kspace, maps], image)
    return model, before, [kspace, maps]


def test_checkpointing_trains_alike():
    """All weights move, the positions too, and by the same amounts."""
    plain, before, _ = trained(False)
    model, *_ = trained(True)
    for weight, old, a, b in zip(
        plain.weights, before, plain.get_weights(), model.get_weights()
    ):
        assert np.isfinite(a).all(), weight.path
        np.testing.assert_allclose(a, b, atol=1e-5, err_msg=weight.path)
        assert np.abs(a - old).max() > 0, weight.path


def test_saved(tmp_path):
    model, _, inputs = trained(False)
    model.save(tmp_path / "whole.keras")
    loaded = keras.models.load_model(tmp_path / "whole.keras")
    np.testing.assert_allclose(
        run(loaded, *inputs), run(model, *inputs), atol=1e-6
    )
    part = models.NCPDNet(
        SIZE, small(), iterations=1, trajectory=SPOKES, **FINE
    )
    inputs = [np.ones((1, 1, 7, 12, 2)), SPOKES.positions[None]]
    expected = run(part, *inputs)
    part.save(tmp_path / "part.keras")
    loaded = keras.models.load_model(tmp_path / "part.keras")
    assert loaded.curves.trajectory == SPOKES
    np.testing.assert_allclose(run(loaded, *inputs), expected, atol=1e-6)


def test_default_starts_at_the_adjoint(rng):
    """The paper's network, whose last convolution is 0."""
    samples = measure(draw(rng, 1, *SIZE), SPOKES.positions[None])
    inputs = samples, SPOKES.positions[None]
    model = models.NCPDNet(SIZE, iterations=1, trajectory=SPOKES)
    adjoint = models.NonUniformAdjointNetwork(
        SIZE, reconstruction="complex", trajectory=SPOKES
    )
    found = run(model, *inputs)
    np.testing.assert_allclose(found, run(adjoint, *inputs), atol=1e-5)
    assert model.networks[0].layers[1].filters == 32


@pytest.mark.parametrize(
    "argument, kwargs",
    [
        ("size", {"size": (8, 8, 8)}),
        ("size", {"size": (8, 0)}),
        ("density_compensation", {"density_compensation": "pipe"}),
        (
            "density_compensation",
            {"density_compensation": "differentiable", "trajectory": SPOKES},
        ),
        ("half_plane", {"half_plane": True}),
        ("sensitivities", {"sensitivities": models.SensitivityMaps(4)}),
        ("positions", {"trajectory": np.zeros((3, 2))}),
    ],
)
def test_invalid(argument, kwargs):
    with pytest.raises(ValueError, match=f"`{argument}`"):
        models.NCPDNet(**{"size": SIZE, **kwargs})


def test_refined_maps(rng):
    """`SensitivityMaps` without a calibration region takes part."""
    refine = models.SensitivityMaps(
        network=keras.layers.Conv2D(2, 1, kernel_initializer="zeros"),
        residual=True,
    )
    image, maps = draw(rng, 1, *SIZE), draw(rng, 1, 2, *SIZE)
    maps /= np.linalg.norm(maps, axis=1, keepdims=True)
    positions = SPOKES.positions[None]
    inputs = [measure(image, positions, maps), positions]
    network = small()
    plain = models.NCPDNet(SIZE, network, iterations=1, **FINE)
    refined = models.NCPDNet(
        SIZE, network, iterations=1, sensitivities=refine, **FINE
    )
    np.testing.assert_allclose(
        run(refined, *inputs, channels(3 * maps)),
        run(plain, *inputs, channels(maps)),
        atol=1e-4,
    )


def test_only_the_example_that_does_not_fit_is_lost(rng):
    positions = np.repeat(SPOKES.positions[None], 2, 0).astype("float32")
    samples = measure(draw(rng, 2, *SIZE), positions)
    own = models.NCPDNet(SIZE, small(), iterations=1, trajectory=SPOKES, **FINE)
    expected = run(own, samples, positions)
    positions[1, 2, 3] += 0.1
    found = run(own, samples, positions)
    assert np.isnan(found[1]).all()
    np.testing.assert_allclose(found[0], expected[0], atol=1e-6)


def test_coils_without_maps_are_refused():
    samples = np.zeros((1, 3, *SPOKES.positions.shape[:2], 2), "float32")
    model = models.NonUniformAdjointNetwork(SIZE, reconstruction="complex")
    with pytest.raises(ValueError, match="`maps`.*3 coils"):
        model([samples, SPOKES.positions[None].astype("float32")])


@pytest.mark.parametrize("name", ["data_consistency", "half_plane"])
def test_options_of_masks_are_refused(name):
    with pytest.raises(ValueError, match=f"`{name}`"):
        models.NonUniformAdjointNetwork(SIZE, **{name: True})
