from experiments import coil_figures
from loupe_tf import masks


def test_figures_of_each_model_and_of_all(rng):
    truth = rng.uniform(size=(16, 18))
    history = {"loss": [2.0, 1.0], "val_loss": [2.0, 1.0], "round": [1, 2]}
    found = {
        name: {
            "mask": masks.equispaced_lines((16, 18), 2, seed=seed),
            "images": {"CG-SENSE": truth / 2, "U-Net": truth},
            "history": history,
        }
        for seed, name in enumerate(("learned", "equispaced"))
    }
    figures = coil_figures.draw(found, truth)
    assert list(figures) == [
        *("scan", "masks", "curves_learned", "curves_equispaced")
    ]
    titles = {ax.get_title() for ax in figures["scan"][0].axes}
    assert {"learned, CG-SENSE", "equispaced, U-Net"} <= titles
    titles = {ax.get_title() for ax in figures["masks"][0].axes}
    assert {"learned (2.00)", "equispaced (2.00)"} <= titles
    assert "equispaced lines" in figures["curves_equispaced"][1]
