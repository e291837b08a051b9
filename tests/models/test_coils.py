"""`loupe_model` with `coils`."""

import keras
import numpy as np
import pytest

from loupe_tf import masks, reconstruction, simulation, trajectories
from loupe_tf.models import loupe_model, unet, with_binarization
from loupe_tf.samplers import GivenTrajectory

SIZE = (16, 18)
SMALL = {
    "reconstructor": "unet",
    "filters": 2,
    "depth": 1,
    "output_initializer": "glorot_uniform",
    "seed": 0,
}
POINTS = masks.gaussian(SIZE, 3, calibration=4, seed=0)


def _numpy(x):
    return np.asarray(keras.ops.convert_to_numpy(x))


def _complex(x):
    return _numpy(x) @ np.array([1, 1j])


@pytest.fixture
def scan(images):
    """K-space and maps of three coils, and the images with their phase."""
    maps = simulation.birdcage_maps(SIZE, 3)
    return simulation.simulate_kspace(images, maps, seed=0)


def test_adjoint_is_the_sense_combination(scan):
    kspace, maps, _ = scan
    model = loupe_model(
        (*SIZE, 2),
        mask=POINTS,
        coils=3,
        reconstruction="complex",
        reconstructor="zero_filled",
    )
    got = _complex(model.predict([kspace, maps], verbose=0))
    for x, y, s in zip(got, _complex(kspace), _complex(maps)):
        expected = reconstruction.adjoint(y, POINTS, s)
        np.testing.assert_allclose(x, expected, atol=1e-5)


@pytest.mark.parametrize("consistent", [False, True])
@pytest.mark.parametrize("kind", ["magnitude", "complex"])
def test_one_coil_and_maps_of_ones_are_the_single_coil_model(
    images, kind, consistent
):
    if consistent and kind == "magnitude":
        pytest.skip("refused")
    options = {
        "mask": POINTS,
        "reconstruction": kind,
        "data_consistency": consistent,
        **SMALL,
    }
    one = np.ones((1, *SIZE), "complex64")
    kspace, maps, targets = simulation.simulate_kspace(images, one, seed=0)
    single = loupe_model((*SIZE, 2), **options)
    model = loupe_model((*SIZE, 2), coils=1, **options)
    model.set_weights(single.get_weights())
    got = model.predict([kspace, maps], verbose=0)
    expected = single.predict(targets, verbose=0)
    assert got.shape == (8, *SIZE, 1 if kind == "magnitude" else 2)
    np.testing.assert_allclose(got, expected, atol=2e-5)


def test_data_consistency_is_a_step_towards_the_data(scan):
    """`x - Sᴴ F⁻¹(M F S x - y)`, in NumPy."""
    kspace, maps, _ = scan
    network = keras.layers.Conv2D(2, 3, padding="same")
    options = {"mask": POINTS, "coils": 3, "reconstruction": "complex"}
    before = loupe_model((*SIZE, 2), reconstructor=network, **options)
    model = loupe_model(
        (*SIZE, 2), reconstructor=network, data_consistency=True, **options
    )
    x = _complex(before.predict([kspace, maps], verbose=0))
    got = _complex(model.predict([kspace, maps], verbose=0))
    for image, y, s, result in zip(x, _complex(kspace), _complex(maps), got):
        residual = reconstruction.forward(image, POINTS, s) - np.where(
            POINTS.array, y, 0
        )
        expected = image - reconstruction.adjoint(residual, POINTS, s)
        np.testing.assert_allclose(result, expected, atol=1e-5)


def _mask_of(mask):
    return np.asarray(mask, "float32")[None, ..., None]


@pytest.mark.parametrize(
    "arguments",
    [
        {"lines": "columns", "calibration": 3, "coils": "any", "snr": 20},
        {"reconstruction": "complex", "data_consistency": True},
    ],
)
def test_training_moves_mask_and_network(scan, images, arguments):
    kspace, maps, targets = scan
    arguments = {"coils": 3, **arguments}
    model = loupe_model((*SIZE, 2), acceleration=4, **SMALL, **arguments)
    # XLA takes longer to compile this than it takes to train.
    model.compile(keras.optimizers.Adam(1e-2), loss="mse", jit_compile=False)
    if arguments.get("reconstruction") != "complex":
        targets = images
    before = [_numpy(w) for w in model.weights]
    history = model.fit(
        (kspace, maps), targets, batch_size=4, epochs=1, verbose=0
    )
    assert np.isfinite(history.history["loss"]).all()
    for weight, old in zip(model.weights, before):
        if weight.path.endswith(("logits", "kernel")):
            assert np.abs(_numpy(weight) - old).max() > 0, weight.path
    size = 18 if "lines" in arguments else 16 * 18
    mask = masks.from_model(model)
    assert mask.array.sum() == round(size / 4)
    assert mask.matrix == SIZE


def test_one_mask_for_all_coils(scan):
    kspace, maps, _ = scan
    model = loupe_model(
        (*SIZE, 2), 4, coils=3, estimator="straight_through", **SMALL
    )
    sub = keras.Model(
        model.inputs,
        model.get_layer("under_sample_kspace").output,
    )
    zero = _numpy(sub([kspace, maps], training=True)) == 0
    assert (zero == zero[:, :1, ..., :1]).all()
    # Each example has a mask of its own.
    assert (zero[0] != zero[1]).any()


@pytest.mark.parametrize("coils", [None, 3])
def test_noise_is_that_of_training_and_of_acquired_samples(scan, coils):
    kspace, maps, targets = scan
    inputs = [targets] if coils is None else [kspace, maps]
    options = {"mask": POINTS, "coils": coils, "reconstructor": "zero_filled"}
    model = loupe_model((*SIZE, 2), snr=10, seed=0, **options)
    clean = loupe_model((*SIZE, 2), **options)
    inputs = inputs if len(inputs) > 1 else inputs[0]
    np.testing.assert_array_equal(_numpy(model(inputs)), _numpy(clean(inputs)))
    measured, plain = (
        _numpy(
            keras.Model(m.input, m.get_layer("under_sample_kspace").output)(
                inputs, training=True
            )
        )
        for m in (model, clean)
    )
    mask = POINTS.array
    assert (measured[..., ~mask, :] == 0).all()
    assert not np.signbit(measured[..., ~mask, :]).any()
    assert (measured[..., mask, :] != plain[..., mask, :]).mean() > 0.99


def test_mask_input(scan):
    kspace, maps, _ = scan
    model = loupe_model((*SIZE, 2), mask_input=True, coils=3, **SMALL)
    fixed = loupe_model((*SIZE, 2), mask=POINTS, coils=3, **SMALL)
    fixed.set_weights(model.get_weights())
    given = np.repeat(_mask_of(POINTS), len(kspace), axis=0)
    np.testing.assert_allclose(
        model.predict([kspace, maps, given], verbose=0),
        fixed.predict([kspace, maps], verbose=0),
        atol=1e-6,
    )


def test_any_number_of_coils(images):
    model = loupe_model((*SIZE, 2), mask=POINTS, coils="any", **SMALL)
    for coils in (2, 5):
        maps = simulation.birdcage_maps(SIZE, coils)
        kspace, maps, _ = simulation.simulate_kspace(images, maps, seed=0)
        fixed = loupe_model((*SIZE, 2), mask=POINTS, coils=coils, **SMALL)
        fixed.set_weights(model.get_weights())
        np.testing.assert_allclose(
            model.predict([kspace, maps], verbose=0),
            fixed.predict([kspace, maps], verbose=0),
            atol=1e-6,
        )


@pytest.mark.parametrize("coils", [None, 3])
@pytest.mark.parametrize("lines", [None, "columns"])
def test_peak_snr_is_one_sigma_for_all_slices(scan, coils, lines):
    kspace, maps, images = scan
    weak = np.array([1, 1, 1, 0.1], "float32").reshape(4, 1, 1, 1)
    inputs = weak * images[:4]
    if coils:
        inputs = [weak[..., None] * kspace[:4], maps[:4]]
    model = loupe_model(
        (*SIZE, 2),
        2,
        lines=lines,
        coils=coils,
        peak_snr=20,
        reconstructor="zero_filled",
        seed=0,
    )
    sub = keras.Model(model.inputs, model.get_layer("receiver_noise").output)
    noise = sub(inputs, training=True) - sub(inputs, training=False)
    for each in _numpy(noise):
        # 288 complex samples of each coil.
        assert each.std() == pytest.approx(0.05, rel=0.15)


@pytest.mark.parametrize("ratio", [{"snr": 20}, {"peak_snr": 50}])
def test_inputs_by_name_saving_and_binarization(scan, tmp_path, ratio):
    kspace, maps, _ = scan
    model = loupe_model((*SIZE, 2), 4, coils=3, **ratio, **SMALL)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.settings == model.settings
    noise = loaded.get_layer("receiver_noise")
    assert {"snr": noise.snr, "peak_snr": noise.peak_snr} == {
        **{"snr": None, "peak_snr": None},
        **ratio,
    }
    expected = model.predict([kspace, maps], verbose=0)
    got = loaded.predict({"maps": maps, "kspace": kspace}, verbose=0)
    np.testing.assert_allclose(got, expected, atol=1e-6)
    relaxed = with_binarization(model, "relaxed")
    assert relaxed.predict([kspace, maps], verbose=0).shape == expected.shape


SIZES = {"filters": 2, "depth": 1}


@pytest.mark.parametrize("coils", [3, "any"])
def test_the_default_for_several_coils_is_warned_of(coils):
    match = r"reconstructor=MoDL\.with_unet\(\(16, 18\)\)"
    with pytest.warns(UserWarning, match=match) as caught:
        model = loupe_model((*SIZE, 2), 4, coils=coils, **SIZES)
    assert caught[0].filename == __file__
    named = loupe_model(
        (*SIZE, 2), 4, coils=coils, reconstructor="unet", **SIZES
    )
    assert named.count_params() == model.count_params()


@pytest.mark.parametrize(
    "options",
    [
        {**SIZES, "coils": None},
        {**SIZES, "coils": 1},
        {**SIZES, "coils": 3, "reconstructor": "unet"},
        {"coils": 3, "reconstructor": "zero_filled"},
        {"coils": 3, "reconstructor": unet((*SIZE, 2), **SIZES)},
        # This uses the maps.
        {
            **SIZES,
            "coils": 3,
            "data_consistency": True,
            "reconstruction": "complex",
        },
    ],
)
def test_other_reconstructors_are_not_warned_of(options, recwarn):
    loupe_model((*SIZE, 2), 4, **options)
    assert not [w for w in recwarn if "U-Net" in str(w.message)]


def test_curves_of_several_coils_are_warned_of_too():
    spokes = trajectories.radial(6, 16, matrix=SIZE)
    with pytest.warns(UserWarning, match=r"reconstructor=NCPDNet\(\(16, 18\)"):
        loupe_model(
            (*SIZE, 2),
            sampler=GivenTrajectory(spokes),
            coils=3,
            **SIZES,
        )


@pytest.mark.parametrize(
    ("match", "arguments"),
    [
        ("`coils`", {"coils": 0}),
        ("`coils`", {"coils": "many"}),
        ("`coils`", {"coils": True}),
        ("`input_shape`.*with coils", {"input_shape": (4, *SIZE, 2)}),
        ("`data_consistency`", {"data_consistency": True}),
        (
            "`data_consistency`.*maps",
            {"data_consistency": True, "input_shape": (*SIZE, 1)},
        ),
        ("`half_plane`", {"half_plane": True}),
        ("`snr`", {"snr": "20"}),
        ("`peak_snr`", {"peak_snr": 0}),
        ("`peak_snr`. Expected None", {"snr": 20, "peak_snr": 50}),
        (
            "`peak_snr`",
            {
                "coils": None,
                "half_plane": True,
                "peak_snr": 50,
                "input_shape": (*SIZE, 1),
            },
        ),
    ],
)
def test_errors(match, arguments):
    options = {"input_shape": (*SIZE, 2), "acceleration": 4, "coils": 3}
    with pytest.raises(ValueError, match=match):
        loupe_model(**{**options, **SMALL, **arguments})
