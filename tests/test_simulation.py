import numpy as np
import pytest

from loupe_tf import reconstruction, simulation


@pytest.mark.parametrize("size", [(16, 18), (9, 7)])
@pytest.mark.parametrize("coils", [1, 5])
def test_squares_of_maps_sum_to_1(size, coils):
    maps = simulation.birdcage_maps(size, coils)
    assert maps.shape == (coils, *size) and maps.dtype == np.complex64
    np.testing.assert_allclose(np.sum(np.abs(maps) ** 2, axis=0), 1, rtol=1e-5)


@pytest.mark.parametrize("radius", [1.5, 2.5])
def test_maps_are_those_of_sigpy(radius):
    sigpy_mri = pytest.importorskip("sigpy.mri")
    expected = sigpy_mri.birdcage_maps((6, 16, 18), r=radius)
    got = simulation.birdcage_maps((16, 18), 6, radius)
    np.testing.assert_allclose(got, expected, atol=1e-5)


def test_maps_of_odd_sizes_have_their_centre_at_half():
    """Where all coils are equally far."""
    maps = simulation.birdcage_maps((9, 11), 4)
    np.testing.assert_allclose(np.abs(maps[:, 4, 5]), 0.5, rtol=1e-5)
    assert np.abs(np.abs(maps[:, 3, 4]) - 0.5).max() > 0.01


def test_a_quarter_of_a_turn():
    """Brings the coil on the axis W onto the axis H."""
    turned = simulation.birdcage_maps((17, 17), 4, angle=np.pi / 2)
    maps = np.abs(simulation.birdcage_maps((17, 17), 4))
    assert np.argmax(maps[0, 8]) == 16  # on the right
    np.testing.assert_allclose(
        np.abs(turned), np.rot90(maps, -1, axes=(1, 2)), atol=1e-5
    )


def test_maps_of_several_angles_are_shared():
    maps = simulation.turned_maps((6, 7), 3)
    assert maps.shape == (8, 3, 6, 7)
    for i in range(8):
        angle = i * np.pi / 12
        expected = simulation.birdcage_maps((6, 7), 3, angle=angle)
        np.testing.assert_allclose(maps[i], expected, atol=1e-6)
    # Nobody changes what others have.
    assert simulation.turned_maps((6, 7), 3) is maps
    with pytest.raises(ValueError, match="read-only"):
        maps[0] = 0
    with pytest.raises(ValueError, match="coils"):
        simulation.turned_maps((6, 7), 0)


def test_phase_is_smooth_and_has_its_deviation():
    rng = np.random.default_rng(0)
    variances = []
    for _ in range(300):
        phase = simulation.smooth_phase((24, 17), 0.3, rng)
        assert phase.dtype == np.complex64
        np.testing.assert_allclose(np.abs(phase), 1, rtol=1e-5)
        steps = np.angle(phase[1:] * phase[:-1].conj())
        assert np.abs(steps).max() < 0.4
        turn = np.angle(phase * phase[0, 0].conj())
        variances.append(np.var(turn))
    assert np.sqrt(np.mean(variances)) == pytest.approx(0.3, rel=0.05)


def test_constant_phase_is_anywhere():
    rng = np.random.default_rng(0)
    phases = [simulation.smooth_phase((4, 4), 0, rng)[0, 0] for _ in range(400)]
    assert abs(np.mean(phases)) < 0.15


def test_add_phase(rng):
    images = rng.uniform(size=(3, 12, 9, 1)).astype("float32")
    got = simulation.add_phase(images, 0.7, seed=4)
    assert got.shape == (3, 12, 9, 2) and got.dtype == np.float32
    both = got @ np.array([1, 1j])
    np.testing.assert_allclose(np.abs(both), images[..., 0], rtol=1e-5)
    # The phases are those of `smooth_phase`, and each image has its own.
    phases = np.random.default_rng(4)
    for image, magnitude in zip(both, images[..., 0]):
        phase = simulation.smooth_phase((12, 9), 0.7, phases)
        np.testing.assert_allclose(image, magnitude * phase, rtol=1e-5)
    again = simulation.add_phase(images[..., 0], 0.7, seed=4)
    np.testing.assert_array_equal(again, got)
    # More images do not change the phases of the first.
    more = simulation.add_phase(np.concatenate([images, images]), 0.7, seed=4)
    np.testing.assert_array_equal(more[:3], got)
    assert np.abs(simulation.add_phase(images, seed=5) - got).max() > 0.1


@pytest.mark.parametrize("shape", [(2, 8, 8, 2), (8, 8)])
def test_add_phase_needs_magnitudes(rng, shape):
    with pytest.raises(ValueError, match="`images`.*no phase yet"):
        simulation.add_phase(rng.uniform(size=shape))
    with pytest.raises(ValueError, match="`images`.*complex"):
        simulation.add_phase(np.ones((2, 8, 8), "complex64"))
    with pytest.raises(ValueError, match="`deviation`"):
        simulation.add_phase(np.ones((2, 8, 8)), -1)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("per_image", [False, True])
def test_kspace_is_that_of_the_forward_operator(rng, channels, per_image):
    images = rng.normal(size=(3, 9, 8, channels)).astype("float32")
    maps = simulation.birdcage_maps((9, 8), 4)
    if per_image:
        maps = np.stack(
            [simulation.birdcage_maps((9, 8), 4, angle=a) for a in range(3)]
        )
    kspace, inputs, targets = simulation.simulate_kspace(images, maps, seed=0)
    for array in (kspace, inputs):
        assert array.shape == (3, 4, 9, 8, 2) and array.dtype == np.float32
    assert targets.shape == (3, 9, 8, 2) and targets.dtype == np.float32
    every = np.ones((9, 8), bool)
    unit = np.array([1, 1j])
    for k, s, x, image in zip(kspace, inputs, targets, images):
        expected = reconstruction.forward(x @ unit, every, s @ unit)
        np.testing.assert_allclose(k @ unit, expected, atol=1e-5)
        np.testing.assert_allclose(
            np.abs(x @ unit), np.linalg.norm(image, axis=-1), atol=1e-5
        )
    expected = maps if per_image else np.stack(3 * [maps])
    np.testing.assert_array_equal(inputs @ unit, expected)


def test_seed_and_no_phase(rng):
    images = rng.uniform(size=(2, 8, 8, 1)).astype("float32")
    maps = simulation.birdcage_maps((8, 8), 2)
    draws = [
        simulation.simulate_kspace(images, maps, seed=seed)[0]
        for seed in (0, 0, 1)
    ]
    np.testing.assert_array_equal(draws[0], draws[1])
    assert (draws[0] != draws[2]).any()
    *_, targets = simulation.simulate_kspace(images, maps, phase=0)
    np.testing.assert_array_equal(targets[..., 0], images[..., 0])
    assert (targets[..., 1] == 0).all()
    # Each image has a phase of its own.
    *_, targets = simulation.simulate_kspace(images[:1].repeat(2, 0), maps)
    assert (targets[0] != targets[1]).any()


@pytest.mark.parametrize(
    ("match", "arguments"),
    [
        ("`size`", {"size": (8,)}),
        ("`size`", {"size": (8, 0)}),
        ("`coils`", {"coils": 0}),
        ("`coils`", {"coils": 2.0}),
        ("`radius`", {"radius": 1.0}),
        ("`radius`", {"radius": np.inf}),
    ],
)
def test_wrong_arguments_of_maps(match, arguments):
    with pytest.raises(ValueError, match=match):
        simulation.birdcage_maps(**{"size": (8, 8), "coils": 2, **arguments})


def test_wrong_arguments(rng):
    images = rng.uniform(size=(2, 8, 8, 1))
    maps = simulation.birdcage_maps((8, 8), 2)
    for wrong in (maps[0], maps[:, :4], np.stack(3 * [maps]), np.abs(maps)):
        with pytest.raises(ValueError, match=r"`maps`. Expected a complex"):
            simulation.simulate_kspace(images, wrong)
    with pytest.raises(ValueError, match=r"`images`. Expected shape"):
        simulation.simulate_kspace(images[..., 0], maps)
    with pytest.raises(ValueError, match="`deviation`"):
        simulation.simulate_kspace(images, maps, phase=-1)
    with pytest.raises(ValueError, match="`size`"):
        simulation.smooth_phase((8, 8, 8))


@pytest.mark.parametrize("shape", [(3, 16, 18, 2), (3, 4, 16, 18, 2)])
def test_noise_is_that_of_receivers(shape, rng):
    """As much as the layer of a model adds in training, in both parts."""
    from loupe_tf.layers import ReceiverNoise

    kspace = (rng.normal(size=shape) * 3).astype("float32")
    kspace[1] *= 5  # Each example has a noise of its own.
    noisy = simulation.add_noise(kspace, 10, seed=0)
    assert noisy.dtype == np.float32 and noisy.shape == shape
    layer = np.array(ReceiverNoise(10, seed=0)(kspace, training=True))
    deviations = [
        np.std((each - kspace).reshape(3, -1, 2), axis=1)
        for each in (noisy, layer)
    ]
    np.testing.assert_allclose(*deviations, rtol=0.15)
    again = simulation.add_noise(kspace, 10, seed=0)
    np.testing.assert_array_equal(noisy, again)
    assert (simulation.add_noise(kspace, 10, seed=1) != noisy).all()


@pytest.mark.parametrize("shape", [(4, 32, 33, 2), (4, 3, 32, 33, 2)])
def test_peak_snr_is_one_sigma_for_all_slices(shape, rng):
    kspace = rng.normal(size=shape).astype("float32")
    kspace[1] *= 100
    kspace[2] = 0  # A slice without signal has the noise of the scan too.
    noisy = simulation.add_noise(kspace, peak_snr=50, seed=0)
    assert noisy.dtype == np.float32 and noisy.shape == shape
    for noise in noisy - kspace:
        parts = np.std(noise.reshape(-1, 2), axis=0)
        np.testing.assert_allclose(parts, 0.02, rtol=0.1)
    again = simulation.add_noise(kspace, peak_snr=50, seed=0)
    np.testing.assert_array_equal(noisy, again)


@pytest.mark.parametrize("ratio", [{"snr": 10}, {"peak_snr": 10}])
def test_coils_of_zeros_have_no_noise(rng, ratio):
    """They pad a batch; the noise of the others is as without them."""
    kspace = rng.normal(size=(2, 4, 16, 16, 2))
    alone = simulation.add_noise(kspace[:, :2], **ratio, seed=0)
    alone = alone - kspace[:, :2]
    kspace[:, 2:] = 0
    found = simulation.add_noise(kspace, **ratio, seed=0) - kspace
    assert not found[:, 2:].any()
    np.testing.assert_allclose(found[:, :2].std(), alone.std(), rtol=0.05)


def test_noise_of_other_arrays_is_refused():
    for kspace in (np.ones((2, 8, 8)), np.ones((2, 8, 8, 2), "complex64")):
        with pytest.raises(ValueError, match="`kspace`.*real and imaginary"):
            simulation.add_noise(kspace, 10)
    with pytest.raises(ValueError, match="`snr`"):
        simulation.add_noise(np.ones((1, 8, 8, 2)), None)
    with pytest.raises(ValueError, match="`peak_snr`. Expected None with"):
        simulation.add_noise(np.ones((1, 8, 8, 2)), 10, peak_snr=50)
