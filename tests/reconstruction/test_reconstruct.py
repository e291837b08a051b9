import sys
import warnings

import h5py
import numpy as np
import pytest

import loupe_tf
from loupe_tf import masks, models, reconstruction
from loupe_tf.formats import KspaceVolume, save_mask
from loupe_tf.numpy_fourier import fft2c

SIZE = (16, 15)
UNIT = 3e-6
SMALL = {
    "filters": 2,
    "depth": 1,
    "output_initializer": "glorot_uniform",
    "seed": 0,
}


def build(mask=None, **kwargs):
    return models.loupe_model((*SIZE, 1), mask=mask, **SMALL, **kwargs)


@pytest.fixture(scope="module")
def volume():
    """Three slices of complex images."""
    rng = np.random.default_rng(0)
    y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in SIZE), indexing="ij")
    images = []
    for i in range(3):
        inside = (y - 0.1) ** 2 + (x + 0.05) ** 2 < 0.3 + 0.2 * i
        noise = rng.normal(scale=0.02, size=(2, *SIZE))
        # The brightest slice is in the middle.
        texture = ((1, 3, 2)[i] + np.sin(5 * x + i)) * np.exp(1j * y)
        images.append(inside * texture + noise[0] + 1j * noise[1])
    return np.stack(images)


@pytest.fixture(scope="module")
def maps():
    """Two coils, the sum of whose squares is 1."""
    x = np.linspace(0.2, 1.3, SIZE[1])
    return np.stack([np.cos(x), 1j * np.sin(x)])[:, None] * np.ones(
        (SIZE[0], 1)
    )


@pytest.fixture(scope="module")
def mask():
    return masks.poisson_disc(SIZE, 3, calibration=4, seed=0)


@pytest.fixture(scope="module")
def kspace(volume, mask):
    return UNIT * reconstruction.forward(volume, mask)


@pytest.fixture(scope="module")
def model(mask):
    """One to which the unit of its input is not all the same."""
    model = build(mask)
    for weight in model.trainable_weights:
        if len(weight.shape) == 1:
            weight.assign(weight + 0.2)
    return model


def quiet(*args, **kwargs):
    """Without a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        return loupe_tf.reconstruct(*args, **kwargs)


def test_volume_in_the_unit_of_its_kspace(kspace, mask, model):
    found = quiet(model, kspace, mask, leading="slices")
    assert found.shape == kspace.shape and found.dtype == np.float32
    # What the model makes of it, in its own unit.
    zero_filled = np.abs(reconstruction.adjoint(kspace, mask))
    scale = zero_filled.max()
    network = reconstruction.Network(model)
    for i in range(3):
        expected = network(kspace[i] / scale, mask) * scale
        np.testing.assert_allclose(found[i], expected, rtol=1e-4)
    # The unit does not matter.
    other = quiet(model, kspace / UNIT, mask, leading="slices")
    np.testing.assert_allclose(other, found / UNIT, rtol=1e-3, atol=1e-5)
    # One scale for the volume.
    alone = quiet(model, kspace[0], mask)
    assert alone.shape == SIZE
    assert np.abs(alone - found[0]).max() > 1e-3 * alone.max()
    fixed = quiet(model, kspace[0], mask, scale=scale)
    np.testing.assert_allclose(fixed, found[0], rtol=1e-5)


def test_shapes_and_sources(kspace, mask, model, tmp_path):
    expected = quiet(model, kspace, mask, leading="slices")
    four = kspace[:, None]
    np.testing.assert_array_equal(quiet(model, four, mask), expected)
    read = []

    def read_slice(i):
        read.append(i)
        return four[i]

    file = KspaceVolume("scan.h5", four.shape, read_slice)
    np.testing.assert_array_equal(quiet(model, file, mask), expected)
    assert read == [0, 1, 2, 0, 1, 2]
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        file["kspace"] = kspace
        found = quiet(model, file["kspace"], mask.array, leading="slices")
    np.testing.assert_array_equal(found, expected)
    found = quiet(model, kspace[:1], mask, leading="coils", scale=1.0)
    assert found.shape == SIZE


def test_another_field_of_view_is_named(kspace, mask):
    four = kspace[:, None]
    zero_filled = loupe_tf.reconstruction.ZeroFilled()
    for view, near in (((240, 240), True), ((240, 180), False)):
        file = KspaceVolume(
            "scan.h5", four.shape, four.__getitem__, field_of_view=view
        )
        quiet(zero_filled, file, mask)  # The mask does not say.
        known = mask.replace(field_of_view=(238, 240))
        if near:
            quiet(zero_filled, file, known)
            continue
        with pytest.warns(UserWarning, match="238×240 mm.*240×180 mm"):
            loupe_tf.reconstruct(zero_filled, file, known)


def test_lines_for_another_readout_are_named(volume):
    mask = masks.random_lines(SIZE, 3, calibration=4, seed=0)
    scan = UNIT * reconstruction.forward(volume, mask)
    longer = mask.replace(matrix=(32, 15))
    for network in (reconstruction.ZeroFilled(), build(mask)):
        expected = quiet(network, scan, mask, leading="slices")
        match = "for a matrix of 32×15.* 16 samples instead of 32"
        with pytest.warns(UserWarning, match=match) as caught:
            found = loupe_tf.reconstruct(
                network, scan, longer, leading="slices"
            )
        # Not one more of another mask than the model's.
        assert len([w for w in caught if "mask" in str(w.message)]) == 1
        np.testing.assert_array_equal(found, expected)
    others = masks.random_lines((16, 14), 3, calibration=4, seed=0)
    with pytest.raises(ValueError, match=r"`mask`.*\(1, 15\).*\(1, 14\)"):
        loupe_tf.reconstruct(network, scan, others, leading="slices")


def test_path_of_a_model(kspace, mask, model, tmp_path):
    model.save(tmp_path / "model.keras")
    found = quiet(tmp_path / "model.keras", kspace[0], mask)
    np.testing.assert_allclose(found, quiet(model, kspace[0], mask), rtol=1e-5)
    (tmp_path / "model.keras").write_bytes(b"no model")
    with pytest.raises(ValueError, match=r"model\.keras.*Keras can load"):
        loupe_tf.reconstruct(str(tmp_path / "model.keras"), kspace[0], mask)
    with pytest.raises(ValueError, match=r"ends in \.keras.*weights\.pkl"):
        loupe_tf.reconstruct("weights.pkl", kspace[0], mask)


@pytest.mark.filterwarnings("ignore:The mask is not")
def test_paths_of_kspace_and_mask(kspace, mask, model, tmp_path):
    np.save(tmp_path / "scan.npy", kspace)
    save_mask(mask, tmp_path / "mask.cfl")
    expected = quiet(model, kspace, mask, leading="slices")
    found = quiet(
        model,
        tmp_path / "scan.npy",
        str(tmp_path / "mask.cfl"),
        leading="slices",
    )
    np.testing.assert_array_equal(found, expected)
    # A mask with DC in the corner is moved once.
    corner = masks.SamplingMask(np.fft.ifftshift(mask.array))
    save_mask(corner, tmp_path / "corner.cfl", shift=False)
    options = {"leading": "slices", "shift": True}
    found = quiet(model, kspace, tmp_path / "corner.cfl", **options)
    np.testing.assert_array_equal(found, expected)


def test_coils(volume, maps, mask, model):
    images = maps * volume[:, None]
    scan = UNIT * reconstruction.forward(images, mask)
    everything = np.ones(SIZE)
    # A classical method: linear, so that the scale changes nothing.
    zero_filled = reconstruction.ZeroFilled()
    found = quiet(zero_filled, scan, mask, maps)
    expected = [zero_filled(k, mask, maps) for k in scan]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * UNIT)
    assert found.dtype == np.complex64
    # Fully sampled coils give what one coil gives.
    full = UNIT * fft2c(images)
    found = loupe_tf.reconstruct(model, full, everything, maps)
    full = UNIT * fft2c(volume)
    expected = loupe_tf.reconstruct(model, full, everything, leading="slices")
    np.testing.assert_allclose(found, expected, atol=1e-3 * UNIT)
    # Maps of each slice.
    each = np.stack([maps, maps, maps * [[[1]], [[0]]]])
    found = quiet(zero_filled, scan, mask, each)
    np.testing.assert_allclose(
        found[2], zero_filled(scan[2], mask, each[2]), rtol=1e-3, atol=1e-10
    )


def test_espirit(mask):
    pytest.importorskip("sigpy")  # For SENSE.
    size = (32, 30)
    y, x = np.mgrid[-1 : 1 : size[0] * 1j, -1 : 1 : size[1] * 1j]
    image = ((y - 0.1) ** 2 + x**2 < 0.6) * (1.5 + np.sin(5 * x + y))
    maps = np.stack([np.exp(1j * y) * (1.2 + x), 1.2 - x + 0.3j * y])
    maps = maps / np.linalg.norm(maps, axis=0)
    mask = masks.poisson_disc(size, 2, calibration=16, seed=0)
    scan = UNIT * reconstruction.forward(image, mask, maps)
    sense = reconstruction.Sense(1e-3)
    found = np.abs(quiet(sense, scan, mask, "espirit", leading="coils"))
    assert np.linalg.norm(found - UNIT * image) < 0.06 * UNIT * np.linalg.norm(
        image
    )
    with pytest.raises(ValueError, match="`maps`.*one coil"):
        loupe_tf.reconstruct(sense, scan[0], mask, "espirit")


def test_maps_of_a_network_are_not_cropped(monkeypatch, volume, mask):
    """By default they are 0 outside the object, unlike those of a training."""
    asked = []

    def estimate(samples, mask, **options):
        asked.append(options)
        return np.full(samples.shape, 0.5**0.5, np.complex64)

    module = sys.modules["loupe_tf.reconstruction.reconstruct"]
    monkeypatch.setattr(module, "espirit_maps", estimate)
    scan = reconstruction.forward(np.stack(2 * [volume[0]]), mask)
    model = build(mask, coils=2, reconstructor="unet")
    quiet(model, scan, mask, "espirit", leading="coils")
    zero_filled = reconstruction.ZeroFilled()
    quiet(zero_filled, scan, mask, "espirit", leading="coils")
    assert asked == [{"crop": 0}, {}]
    for each in (model, zero_filled):
        quiet(
            each,
            scan,
            mask,
            "espirit",
            leading="coils",
            espirit_options={"crop": 0.5, "threshold": 0.1},
        )
    assert asked[2:] == 2 * [{"crop": 0.5, "threshold": 0.1}]
    with pytest.raises(ValueError, match="`espirit_options`. Expected None"):
        loupe_tf.reconstruct(
            zero_filled,
            scan,
            mask,
            np.ones(scan.shape, "complex64"),
            leading="coils",
            espirit_options={"crop": 0.5},
        )
    with pytest.raises(ValueError, match="`width`.*`threshold`, `crop`"):
        loupe_tf.reconstruct(
            zero_filled,
            scan,
            mask,
            "espirit",
            leading="coils",
            espirit_options={"width": 3},
        )


def test_another_mask_is_named(kspace, volume, mask, model):
    other = masks.gaussian(SIZE, 3, calibration=4, seed=1)
    scan = reconstruction.forward(volume[0], other)
    share = (mask.array & other.array).sum() / other.acquired
    with pytest.warns(UserWarning, match="not the one") as caught:
        loupe_tf.reconstruct(model, scan, other)
    (one,) = [w for w in caught if w.category is UserWarning]
    text = str(one.message)
    assert f"{share:.0%} of the entries" in text and "far from" not in text
    # Whoever called is named, not this package.
    assert one.filename == __file__

    lines = masks.random_lines(SIZE, 5, calibration=1, seed=0)
    scan = reconstruction.forward(volume[0], lines)
    text = "columns, the model's one of points; its R = 5 is far from R = 3"
    with pytest.warns(UserWarning, match=text):
        loupe_tf.reconstruct(model, scan, lines)


def test_lines_of_a_model_in_full(volume):
    """A model of columns, and the same mask as points."""
    lines = masks.random_lines(SIZE, 3, calibration=2, seed=0)
    model = build(lines)
    scan = reconstruction.forward(volume[0], lines)
    full = np.broadcast_to(lines.array, SIZE)
    expected = quiet(model, scan, lines)
    np.testing.assert_array_equal(quiet(model, scan, full), expected)


def test_mask_of_a_learned_model(volume):
    model = build(acceleration=3, calibration=4)
    mask = masks.from_model(model)
    quiet(model, reconstruction.forward(volume[0], mask), mask)


def test_models_of_any_mask(volume, mask):
    scan = reconstruction.forward(volume[0], mask)
    quiet(build(mask_input=True), scan, mask)
    quiet(build(acceleration=3, binarization="relaxed"), scan, mask)


def test_lacking_lines_are_named(volume):
    lines = masks.equispaced_lines(SIZE, 3, calibration=3, seed=0)
    scan = np.stack([reconstruction.forward(v, lines) for v in volume])
    lost = np.flatnonzero(lines.array)[[0, -1]]
    scan[1][:, lost] = 0
    # Asymmetric echoes are lines all the same.
    scan[0][:4] = 0
    message = rf"slice 1 in 2 of the 5 columns.*: {lost[0]}, {lost[1]}$"
    zero_filled = reconstruction.ZeroFilled()
    with pytest.raises(ValueError, match=message):
        loupe_tf.reconstruct(zero_filled, scan, lines, leading="slices")
    # An empty slice is no lost line, a volume of them is none.
    scan[1] = 0
    assert not quiet(zero_filled, scan, lines, leading="slices")[1].any()
    with pytest.raises(ValueError, match="`kspace`.*above 0"):
        loupe_tf.reconstruct(zero_filled, 0 * scan, lines, leading="slices")


def test_points_are_no_lines(volume, mask):
    """Every column has some points, but most of its samples are zero."""
    lines = masks.equispaced_lines(SIZE, 3, calibration=3, seed=0)
    zero_filled = reconstruction.ZeroFilled()
    full = fft2c(volume[0])
    scan = np.where(mask.array & lines.array, full, 0)
    assert scan.any(axis=0)[lines.array[0]].all()
    with pytest.raises(ValueError, match=r"of the 5 columns.*up to \d+%"):
        loupe_tf.reconstruct(zero_filled, scan, lines)
    # Rows in the place of columns, and halves of the points.
    rows = np.arange(SIZE[0])[:, None] % 3 == 0
    half = np.random.default_rng(0).random(SIZE) < 0.5
    for taken in (rows, half):
        scan = np.where(taken & lines.array, full, 0)
        with pytest.raises(ValueError, match="`kspace`.*of the 5 columns"):
            loupe_tf.reconstruct(zero_filled, scan, lines)
        with pytest.raises(ValueError, match="`kspace`.*of the 5 rows"):
            loupe_tf.reconstruct(
                zero_filled, scan.T, masks.SamplingMask(lines.array.T)
            )


def test_ends_of_lines_may_be_zero(volume):
    lines = masks.equispaced_lines(SIZE, 3, calibration=3, seed=0)
    zero_filled = reconstruction.ZeroFilled()
    full = reconstruction.forward(volume[0], lines)
    scan = full.copy()
    scan[:3] = scan[-4:] = 0  # Zero filling, or asymmetric echoes.
    quiet(zero_filled, scan, lines)
    # Echoes that are asymmetric in turns, and little of each line.
    turns, little = full.copy(), full.copy()
    numbers = np.flatnonzero(lines.array)
    turns[:3, numbers[::2]] = turns[-3:, numbers[1::2]] = 0
    little[:5] = little[-5:] = 0
    for scan, text in (
        (turns, r"5 of the 5 columns.*up to 19% of one"),
        (little, "62% of each of the columns, at the ends"),
    ):
        with pytest.warns(UserWarning, match=text):
            loupe_tf.reconstruct(zero_filled, scan, lines)


def test_zeros_may_be_allowed(volume):
    mask = masks.equispaced_lines(SIZE, 3, calibration=5)
    padded = reconstruction.forward(volume, mask)
    last = np.flatnonzero(mask.array)[-1]
    padded[..., last] = 0
    model = build(mask)
    arguments = model, padded, mask
    with pytest.raises(ValueError, match="allow_zeros"):
        loupe_tf.reconstruct(*arguments, leading="slices")
    options = {"leading": "slices", "scale": 1, "allow_zeros": True}
    with pytest.warns(UserWarning, match=rf"zeros in slice 0.*: {last}\."):
        found = loupe_tf.reconstruct(*arguments, **options)
    expected = reconstruction.Network(model)(padded[0], mask)
    np.testing.assert_allclose(found[0], expected, atol=1e-6)


def test_lacking_points_are_named(volume, mask):
    zero_filled = reconstruction.ZeroFilled()
    scan = reconstruction.forward(volume[0], mask)
    places = np.argwhere(mask.array)
    few, many = places[:2], places[:20]
    scan[tuple(few.T)] = 0
    with pytest.warns(UserWarning, match="2 of the 80 entries"):
        loupe_tf.reconstruct(zero_filled, scan, mask)
    scan[tuple(many.T)] = 0
    with pytest.raises(ValueError, match=r"20 of the 80 .*\] and 12 more$"):
        loupe_tf.reconstruct(zero_filled, scan, mask)


def test_samples_that_are_not_used(volume, mask):
    zero_filled = reconstruction.ZeroFilled()
    share = 1 - mask.acquired / mask.array.size
    with pytest.warns(UserWarning, match=f"{share:.1%} of k-space"):
        found = loupe_tf.reconstruct(zero_filled, fft2c(volume[0]), mask)
    expected = reconstruction.adjoint(
        reconstruction.forward(volume[0], mask), mask
    )
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.filterwarnings("ignore:The mask is not")
def test_dc_in_a_corner(volume, mask, model):
    corner = np.fft.ifftshift(mask.array)
    scan = reconstruction.forward(volume[0], mask)
    with pytest.raises(ValueError, match="densest around the corner"):
        loupe_tf.reconstruct(model, scan, corner)
    found = quiet(model, scan, corner, shift=True)
    np.testing.assert_array_equal(found, quiet(model, scan, mask))
    # As it is: it has been said, and there is nothing more to say.
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "The mask is densest")
        zero_filled = reconstruction.ZeroFilled()
        loupe_tf.reconstruct(
            zero_filled, scan, corner, shift=False, allow_zeros=True
        )
    # K-space, of which all but DC fits.
    scan = np.fft.ifftshift(fft2c(volume[0]))
    with pytest.warns(UserWarning, match=r"\(0, 0\).*near the centre \(8, 7\)"):
        loupe_tf.reconstruct(model, scan, np.ones(SIZE))


@pytest.mark.parametrize("where", ["acquired", "elsewhere"])
def test_samples_that_are_not_finite(volume, mask, where):
    scan = np.stack([reconstruction.forward(v, mask) for v in volume])
    zero_filled = reconstruction.ZeroFilled()
    inside = mask.array if where == "acquired" else ~mask.array
    expected = loupe_tf.reconstruct(zero_filled, scan, mask, leading="slices")
    scan[(1, *np.argwhere(inside)[3])] = np.nan
    if where == "acquired":
        with pytest.raises(ValueError, match="`kspace`.*finite.*slice 1"):
            loupe_tf.reconstruct(zero_filled, scan, mask, leading="slices")
        return
    with pytest.warns(UserWarning, match="not used"):
        found = loupe_tf.reconstruct(zero_filled, scan, mask, leading="slices")
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    "change, name",
    [
        ({"mask": np.ones((15, 16))}, "mask"),
        ({"mask": np.full(SIZE, 0.5)}, "array"),
        ({"leading": None}, "leading"),
        ({"leading": "coils"}, "maps"),
        ({"scale": 0}, "scale"),
        ({"scale": -1.0}, "scale"),
        ({"maps": "sense"}, "maps"),
        ({"maps": np.ones((2, 16, 15))}, "maps"),
        ({"model": "name"}, "model"),
        ({"model": 3}, "model"),
        ({"kspace": np.ones((3, *SIZE))}, "kspace"),
        (
            {"kspace": np.ones((3, 8, 8), complex), "mask": np.ones((8, 8))},
            "kspace",
        ),
    ],
)
def test_refuses(kspace, mask, model, change, name):
    arguments = {"model": model, "kspace": kspace, "mask": mask}
    arguments |= {"leading": "slices"} | change
    with pytest.raises(ValueError, match=f"`{name}`"):
        loupe_tf.reconstruct(**arguments)


@pytest.mark.parametrize("lines", [None, "rows"])
def test_half_plane_is_filled(volume, lines):
    model = build(acceleration=3, half_plane=True, lines=lines)
    images = np.abs(volume).astype("float32")
    half = masks.from_model(model)
    kspace = reconstruction.forward(images, half)
    found = quiet(model, kspace, half, leading="slices", scale=1)
    # The model fills in by itself what it is given.
    expected = model.predict(images[..., None], verbose=0)[..., 0]
    np.testing.assert_allclose(found, expected, atol=1e-4 * expected.max())
    # The scale is that of the filled images, too.
    whole = half.array | masks.mirrored(half.array)
    largest = np.abs(reconstruction.adjoint(fft2c(images), whole)).max()
    np.testing.assert_allclose(
        quiet(model, kspace, half, leading="slices"),
        quiet(model, kspace, half, leading="slices", scale=largest),
        rtol=1e-4,
    )


@pytest.mark.parametrize("consistent", [False, True])
def test_a_model_of_volumes(volume, maps, consistent):
    options = {"reconstruction": "complex", "data_consistency": consistent}
    model = models.loupe_model((3, *SIZE, 2), 3, **SMALL, **options)
    mask = masks.from_model(model)
    volume = volume.astype("complex64")
    # The model measures by itself; a unit of 7 is taken out and put back.
    expected = model.predict(
        np.stack([volume.real, volume.imag], axis=-1)[None], verbose=0
    )[0]
    expected = expected[..., 0] + 1j * expected[..., 1]
    kspace = 7 * reconstruction.forward(volume, mask)
    found = quiet(model, kspace, mask, leading="slices", scale=7)
    assert found.shape == volume.shape
    np.testing.assert_allclose(found, 7 * expected, atol=1e-4)
    # All slices of all coils go in at once, with the maps of each slice.
    coils = np.stack([reconstruction.forward(x, mask, maps) for x in volume])
    network = reconstruction.Network(model)
    of_slices = np.stack([maps] * len(volume), axis=1)
    np.testing.assert_allclose(
        quiet(network, coils, mask, maps, scale=1),
        network.reconstruct(coils.swapaxes(0, 1), np.array(mask), of_slices),
        atol=1e-5,
    )
    with pytest.raises(ValueError, match=r"`kspace`.*\(3, .*1, 1, 2, "):
        quiet(model, kspace[:2], mask, leading="slices")
    with pytest.raises(ValueError, match="`kspace`.*all slices at once"):
        network(kspace[0], mask)


def test_refuses_coils_of_a_half_plane(volume, maps):
    model = build(acceleration=3, half_plane=True)
    half = masks.from_model(model)
    kspace = reconstruction.forward(volume[0], half, maps)
    with pytest.raises(ValueError, match="kspace.*one coil"):
        loupe_tf.reconstruct(model, kspace, half, maps, leading="coils")
