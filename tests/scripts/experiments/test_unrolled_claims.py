import collections

import numpy as np

from experiments.unrolled_claims import claims, draw, title_of

Cell = collections.namedtuple(
    "Cell",
    ["coils", "acceleration", "mask", "network", "iterations", "noise"],
    defaults=[0.0],
)


def test_each_cell_is_compared_with_those_that_differ_in_one_respect():
    cells = {
        Cell(1, 4.0, mask, network, count): [f"{mask} {network} {count}"]
        for mask, network, count in [
            ("equispaced", "unet", 0),
            ("points", "unet", 0),
            ("points", "varnet", 1),
            ("points", "varnet", 5),
            ("points", "varnet", 3),
            ("lines", "unet", 0),
            ("unet_points", "varnet", 5),
            ("unet_points", "zero_filled", 0),
        ]
    }
    cells[Cell(4, 4.0, "points", "varnet", 5)] = ["other coils"]
    for mask in "unet_points", "gaussian":
        cells[Cell(4, 4.0, mask, "zero_filled", 0, 0.02)] = [f"noisy {mask}"]
    found = [
        (claim.subject, *claim.records, *claim.others)
        for claim in claims(cells)
    ]
    start = "1 coil, learned points"
    assert found == [
        (
            "1 coil, U-Net: learned points against learned lines",
            "points unet 0",
            "lines unet 0",
        ),
        (
            f"{start}: VarNet ×1 against U-Net",
            "points varnet 1",
            "points unet 0",
        ),
        (
            "1 coil, VarNet ×5: learned points against the U-Net's points",
            "points varnet 5",
            "unet_points varnet 5",
        ),
        (
            f"{start}: VarNet ×5 against U-Net",
            "points varnet 5",
            "points unet 0",
        ),
        (
            f"{start}: VarNet ×5 against VarNet ×3",
            "points varnet 5",
            "points varnet 3",
        ),
        (
            f"{start}: VarNet ×3 against U-Net",
            "points varnet 3",
            "points unet 0",
        ),
        (
            f"{start}: VarNet ×3 against VarNet ×1",
            "points varnet 3",
            "points varnet 1",
        ),
        (
            "1 coil, U-Net: learned lines against equispaced lines",
            "lines unet 0",
            "equispaced unet 0",
        ),
        (
            "4 coils, noise 0.02, zero-filled: the U-Net's points against "
            "Gaussian points",
            "noisy unet_points",
            "noisy gaussian",
        ),
    ]


def test_titles_tell_the_iterations():
    assert title_of(Cell(1, 4.0, "points", "xpdnet", 5)) == "XPDNet ×5"
    assert title_of(Cell(1, 4.0, "points", "unet", 0)) == "U-Net"


def test_every_coil_count_rate_and_mask_has_its_figure():
    images = {
        "mask": np.eye(8, dtype=bool),
        "truth": np.ones((8, 8, 1)),
        "output": np.ones((8, 8, 1)),
        "voxel_size": None,
    }
    figures = draw(
        {
            Cell(1, 4.0, "random", "unet", 0): images,
            Cell(1, 4.0, "points", "unet", 0): images,
            Cell(4, 8.0, "random", "varnet", 3): images,
        }
    )
    assert {name: bool(figure) for name, (figure, _) in figures.items()} == {
        "masks_C1_R4": True,
        "reconstructions_C1_R4_random": True,
        "reconstructions_C1_R4_points": True,
        "masks_by_u_net_C1_R4": True,
        "masks_C4_R8": False,
        "reconstructions_C4_R8_random": True,
    }
