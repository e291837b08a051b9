import numpy as np
import pytest

from experiments import transfer
from loupe_tf import masks

MASKS = ("learned", "gaussian", "equispaced_lines")


def _trial(subject, seed, **psnr):
    """A record of two volumes, 1 dB apart."""
    return {
        "task": "try",
        "acceleration": 4.0,
        "subject": subject,
        "seed": seed,
        "error": None,
        "results": {
            mask: {
                "unit_range": {
                    "v": {"psnr": x - 0.5, "ssim": x / 100},
                    "w": {"psnr": x + 0.5, "ssim": x / 100},
                },
                "refused": {},
            }
            for mask, x in psnr.items()
        },
    }


@pytest.fixture
def scores():
    """Two seeds; all is 1 dB better with the second."""
    records = []
    for seed in (0, 1):
        for subject, values in {
            "zero_filled": (22, 25, 20),
            "unet_learned": (31, 24, 21),
            "unet_gaussian": (26, 30, 22),
            "unet_equispaced_lines": (27, 23, 28),
        }.items():
            values = [x + seed for x in values]
            named = dict(zip(MASKS, values))
            records.append(_trial(subject, seed, **named))
    return transfer.Scores(records, (*MASKS, "spectrum"), ("zero_filled",))


def test_the_table_has_own_and_other_networks(scores):
    header, rows = scores.table("psnr")
    assert [len(row) for row in rows] == [len(header)] * 3
    assert rows[0] == [
        *("4", "learned", "22.50 ± 0.50", "31.50 ± 0.50"),
        *("27.00 ± 0.50", "27.50 ± 0.50 (equispaced_lines)", "2"),
    ]
    _, ssim = scores.table("ssim")
    assert ssim[1][3] == "0.3050 ± 0.0050"


def test_the_matrix_is_network_by_mask(scores):
    figure = scores.draw(4.0)
    matrix = figure.axes[0].images[0].get_array()
    expected = [[31.5, 24.5, 21.5], [26.5, 30.5, 22.5], [27.5, 23.5, 28.5]]
    np.testing.assert_allclose(matrix, expected)


def test_masks_are_compared_for_the_same_reconstructor(scores):
    rivals = {"learned": ("gaussian", "spectrum")}
    zero, own = scores.claims(rivals, ("zero_filled", transfer.OWN))
    pair = "learned, no region against Gaussian points"
    assert zero.subject == f"zero filled: {pair}"
    assert own.subject == f"own U-Net: {pair}"
    assert own.acceleration == 4.0
    gains = [
        (record["volumes"]["v"]["psnr"] - other["volumes"]["v"]["psnr"])
        for claim in (zero, own)
        for record, other in zip(claim.records, claim.others, strict=True)
    ]
    # The own U-Net is that of each mask.
    assert gains == [-3, -3, 1, 1]


def test_networks_are_compared_on_the_mean_over_masks(scores):
    (claim,) = scores.claims_of_networks()
    for record, other in zip(claim.records, claim.others, strict=True):
        assert record["seed"] == other["seed"]
        own, foreign = (x["volumes"]["w"]["psnr"] for x in (record, other))
        expected = np.mean([31.5, 30.5, 28.5]) + record["seed"]
        assert own == pytest.approx(expected)
        # 5, 4, 6, 7, 7 and 6 dB.
        assert own - foreign == pytest.approx(35 / 6)


def test_a_foreign_network_costs(scores):
    (sentence,) = scores.cost_of_others(4.0)
    # 5, 4, 6, 7, 7 and 6 dB in both seeds.
    assert "5.83 dB on average, from 4.00 to 7.00 over 12 pairs" in sentence
    assert scores.cost_of_others(8.0) == []


def test_figures_are_of_what_is_there(tmp_path):
    paths = {name: tmp_path / f"{name}.npz" for name in MASKS}
    assert transfer.draw_masks(paths, 2) is None
    masks.gaussian((16, 18), 4).save(paths["gaussian"])
    (axes,) = [ax for ax in transfer.draw_masks(paths, 2).axes if ax.images]
    assert "Gaussian points" in axes.get_title()
    assert transfer.draw_reconstructions({}, MASKS) is None
    truth = np.zeros((1, 16, 18, 1), "float32")
    images = {"gaussian": {"truth": truth, "gaussian": truth + 1}}
    figure = transfer.draw_reconstructions(images, MASKS[:1], MASKS[1:])
    assert "Gaussian points" in {ax.get_title() for ax in figure.axes}


def test_means_over_other_volumes_are_left_out():
    whole, part = (
        _trial("zero_filled", 0, learned=20),
        _trial("x", 0, learned=9),
    )
    del part["results"]["learned"]["unit_range"]["w"]
    part["results"]["learned"]["refused"] = {"w": "it is not finite"}
    cells = transfer.Scores([whole, part], MASKS, ()).cells
    assert list(cells) == [(4.0, "learned", "zero_filled")]
