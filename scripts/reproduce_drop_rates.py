"""Learned against unlearned masks at several drop rates.

A student report (Zalman and Zohar, "MRI compressed sensing", Technion, 2025)
trains an encoder and decoder on k-space with a drop rate of 20, 40 or 60 %,
once with a random mask and once with a mask that is learned together with the
network. It finds that the learned mask is better, and more so at higher drop
rates. This script reproduces its table and figures. It also tries the losses
that the report suggests: structural similarity, and a mix of it with L1.

    python scripts/reproduce_drop_rates.py --preset smoke
    python scripts/reproduce_drop_rates.py --preset cpu --data my_volumes/
    python scripts/reproduce_drop_rates.py --preset cpu --losses ssim l1_ssim

A drop rate d is an acceleration of 1 / (1 - d). Both masks have exactly that
budget, and both models have the same network, data, losses and two rounds of
training; the learned mask uses 4S in the first round. The unlearned mask is
drawn anew for each seed.

Each finished run writes a small JSON file to the folder given by --out. Repeat
a stopped command to resume it. You can add further drop rates, losses and seeds
to the same folder. report.html, results.json and the figures cover all runs in
the folder.
"""

import dataclasses
import itertools
import sys

import numpy as np

import experiments
import loupe_tf
from experiments.claims import against_rivals
from experiments.loss_curves import draw_losses
from experiments.presets.drop_rates import GRID, LOSSES, parse
from loupe_tf import evaluation, masks, plots, report

MASKS = ("unlearned", "learned")
# The report's table: test PSNR in dB by drop rate.
REPORTED = {
    "unlearned": {0.2: 28.56, 0.4: 26.32, 0.6: 23.22},
    "learned": {0.2: 28.71, 0.4: 26.68, 0.6: 25.13},
}
HEADER = [
    *("loss", "drop rate", "mask", "train [dB]", "slices", "test [dB]"),
    *("slices", "test SSIM", "report's test [dB]", "epochs", "seeds"),
    *("diverged", "gain [dB]"),
]
CONVENTION = (
    "PSNR = -10 log10(MSE) of a slice, images divided by their volume's "
    "maximum. Mean over the slices, then over seeds ± their standard "
    'deviation; "slices" is the standard deviation over the slices of a '
    "split, mean over seeds. SSIM with data range 1. Exact-budget masks. "
    "The report's figures use other data and are not comparable with ours."
)


@dataclasses.dataclass(frozen=True)
class Run(experiments.Run):
    """One training."""

    loss: str
    drop_rate: float
    mask: str
    seed: int

    order = {"loss": LOSSES, "mask": MASKS}

    @property
    def stem(self):
        return f"d{self.drop_rate:g}-{self.mask}-{self.loss}-seed{self.seed}"


def grid(settings):
    """All runs of the settings, one seed after another."""
    cells = itertools.product(
        settings["seeds"], settings["losses"], settings["drop_rates"], MASKS
    )
    return [Run(*cell, seed) for seed, *cell in cells]


def build_model(run, settings, image_shape):
    import keras

    keras.utils.set_random_seed(run.seed)
    acceleration = 1 / (1 - run.drop_rate)
    sampling = {
        "acceleration": acceleration,
        "calibration": None,
        "slope": settings["slope"],
    }
    if run.mask == "unlearned":
        size = image_shape[:2]
        mask = masks.uniform_random(size, acceleration, seed=run.seed)
        sampling = {"mask": mask}
    network = loupe_tf.models.encoder_decoder(
        (*image_shape[:2], 2),
        filters=settings["filters"],
        depth=settings["depth"],
    )
    model = loupe_tf.models.loupe_model(
        image_shape,
        **sampling,
        reconstructor=network,
        seed=run.seed,
        name=run.mask,
    )
    losses = {
        "mse": "mse",
        "ssim": loupe_tf.losses.SSIM(),
        "l1_ssim": loupe_tf.losses.L1SSIM(),
    }
    model.compile(
        keras.optimizers.Adam(settings["learning_rate"]),
        loss=losses[run.loss],
        metrics=[loupe_tf.metrics.PSNR()],
    )
    return model


def train(run, settings, splits, folder):
    """Train and test one cell of the grid, and return its record."""
    test = splits["test"]
    model = build_model(run, settings, test.images.shape[1:])
    history, finite = experiments.fit(
        model,
        run,
        settings,
        splits["train"].images,
        splits["validation"].images,
        folder,
    )
    keys = ("loss", "val_loss", "psnr", "val_psnr", "round")
    record = {
        **run.record(history, keys),
        "diverged": not finite,
        "splits": {},
    }
    if not finite:
        return record
    for name in ("train", "test"):
        images, volumes = splits[name].images, splits[name].volumes
        output = model.predict(images, settings["batch_size"], verbose=0)
        slices = np.asarray(loupe_tf.metrics.psnr(images, output))
        record["splits"][name] = {
            "psnr": float(slices.mean()),
            "psnr_over_slices": float(slices.std()),
            "volumes": evaluation.per_volume(images, output, volumes),
        }
    mask = masks.from_model(model)
    shown = evaluation.middle_slice(test.volumes)
    experiments.save_images(
        folder,
        run.name,
        mask=mask.array,
        truth=test.images[shown],
        output=output[shown],
        voxel_size=test.voxel_size,
    )
    return {**record, "achieved_acceleration": mask.achieved_acceleration}


def volumes_of(record):
    return record["splits"].get("test", {}).get("volumes")


def table_rows(cells):
    rows = []
    for (loss, rate, mask), records in cells.items():
        good = [r["splits"] for r in records if not r["diverged"]]
        row = [loss, f"{rate:g}", mask]
        for name in ("train", "test"):
            row.append(report.spread([s[name]["psnr"] for s in good]))
            slices = [s[name]["psnr_over_slices"] for s in good]
            row.append(report.spread([np.mean(slices)] if good else []))
        ssim = experiments.means(records, volumes_of, "ssim")
        row.append(report.spread(ssim, 4))
        reported = REPORTED[mask].get(rate) if loss == "mse" else None
        row.append(report.spread([reported]))
        row.append(report.spread([r["epochs"] for r in records], 0))
        row += [str(len(records)), str(len(records) - len(good))]
        others = cells.get((loss, rate, "unlearned"), [])
        gains = evaluation.differences_by_volume(
            records, others, volumes_of, experiments.partner
        )
        gain = report.spread(np.ravel(list(gains.values())), sign="+")
        rows.append([*row, gain if mask == "learned" else ""])
    return rows


def claims(cells):
    """Learned against unlearned masks, for each loss and drop rate."""
    return against_rivals(
        cells,
        "mask",
        {"learned": ("unlearned",)},
        lambda cell, other: (
            f"{cell.loss}, drop rate {cell.drop_rate:g}: {cell.mask} against "
            f"{other.mask} mask"
        ),
    )


def draw(cells, folder):
    """All figures with their captions, by name."""
    figures = {}
    images = experiments.first_images(cells, folder, Run.of)
    for loss in dict.fromkeys(key[0] for key in cells):
        shown = {key[1:]: x for key, x in images.items() if key[0] == loss}
        figures[f"curves_{loss}"] = (
            draw_losses(cells, loss, MASKS),
            f"Training with the loss {loss}, first seed.",
        )
        found = {f"{m}, d = {d:g}": x["mask"] for (d, m), x in shown.items()}
        figures[f"masks_{loss}"] = (
            plots.masks(found) if found else None,
            f"Masks, loss {loss}, first seed. DC is in the centre.",
        )
        for rate in dict.fromkeys(key[0] for key in shown):
            figures[f"reconstructions_{loss}_d{rate:g}"] = (
                experiments.draw_outputs(
                    {m: x for (d, m), x in shown.items() if d == rate}
                ),
                f"Drop rate {rate:g}, loss {loss}, first seed: the middle "
                "slice of the first test volume.",
            )
    return figures


def results(records, folder):
    """Make the arguments of `experiments.publish` for the report."""
    cells = Run.cells(records)
    found = experiments.findings(claims(cells), volumes_of, by_cell=cells)
    return {
        "title": "Learned and unlearned masks by drop rate",
        "convention": CONVENTION,
        "table": (HEADER, table_rows(cells)),
        **{**found, "figures": found["figures"] | draw(cells, folder)},
    }


def main(arguments=None):
    settings = parse(__doc__, arguments)
    return experiments.main(
        settings, grid, build_model, train, results, free=GRID
    )


if __name__ == "__main__":
    sys.exit(main())
