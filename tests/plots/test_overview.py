import numpy as np
import pytest

from loupe_tf import masks, metrics, plots


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("lines", [False, True])
def test_overview(draw, rng, channels, lines):
    truth = rng.uniform(size=(1, 12, 16, channels)).astype("float32")
    mask = np.zeros((1, 16) if lines else (12, 16), bool)
    mask[..., ::4] = True
    figure = draw(plots.overview(mask, truth, truth + 0.1, truth + 0.01))
    assert [ax.get_title() for ax in figure.axes] == [
        "mask, R = 4",
        "truth",
        "zero-filled",
        "reconstruction",
        "|error| × 5",
    ]
    for ax, image in zip(figure.axes[2:4], (truth + 0.1, truth + 0.01)):
        psnr = float(metrics.psnr(truth, image)[0])
        assert ax.get_xlabel() == f"PSNR {psnr:.2f} dB"
    # The error is that of the reconstruction.
    error = 5 * 0.01 * np.sqrt(channels)
    np.testing.assert_allclose(
        figure.axes[4].images[0].get_array(), error, rtol=1e-2
    )


def test_proportions_are_those_of_the_voxels(draw, rng):
    truth = rng.uniform(size=(1, 12, 16, 1)).astype("float32")
    mask = masks.SamplingMask(np.eye(12, 16) > 0, field_of_view=(240, 160))
    figure = draw(
        plots.overview(mask, truth, truth, truth, voxel_size=(20.0, 10.0))
    )
    assert figure.axes[0].get_aspect() == pytest.approx(160 / 240)
    assert figure.axes[1].get_aspect() == 2.0


def test_images_of_another_shape_are_refused(rng):
    truth = rng.uniform(size=(1, 12, 16, 1))
    with pytest.raises(ValueError, match=r"`zero_filled`.*\(1, 6, 16, 1\)"):
        plots.overview(np.eye(12, 16), truth, truth[:, :6], truth)
    with pytest.raises(ValueError, match="`output`"):
        plots.overview(np.eye(12, 16), truth, truth, truth[..., 0])
    with pytest.raises(ValueError, match="`truth`"):
        plots.overview(np.eye(12, 16), truth[0], truth, truth)
