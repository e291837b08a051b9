"""Results of trials of each reconstructor with each mask.

`unet_of(mask)` is the name of the U-Net trained for a mask. `OWN` stands for
the U-Net of the tested mask.
"""

import operator
import typing

import numpy as np

from experiments.cells import partner
from experiments.claims import Claim, against_rivals
from experiments.heat_map import heat_map
from experiments.showing import draw_outputs
from loupe_tf import evaluation, plots, report
from loupe_tf.masks import SamplingMask

OWN, OTHERS, BEST_OTHER = "own U-Net", "others' U-Nets", "best other U-Net"
DIGITS = {"psnr": 2, "ssim": 4}
TITLES = {
    "learned": "learned, no region",
    "learned_calibrated": "learned with a region",
    "learned_lines": "learned lines, no region",
    "learned_lines_calibrated": "learned lines with a region",
    "gaussian": "Gaussian points",
    "poisson_disc": "Poisson disc",
    "wavelet_l1": "wavelets",
}


def unet_of(mask):
    return f"unet_{mask}"


def mask_of(unet):
    return unet.removeprefix("unet_")


def title_of(name):
    """A name for tables and figures."""
    return TITLES.get(name, name.replace("_", " "))


def volumes_of(row):
    return row["volumes"]


class Cell(typing.NamedTuple):
    """A mask with a reconstructor, from all folds and seeds."""

    acceleration: float
    mask: str
    reconstructor: str


class Scores:
    """Scores of reconstructors with masks, by R and seed.

    Args:
        records: List of records; records of trials have the `"results"` of
            `experiments.trials.try_on_all`.
        masks: Names of all masks, in table order; those that no record has
            are left out.
        classical: Names of the reconstructors that need no training.

    Attributes:
        cells: Dict of lists of rows by `Cell`.
        rates: The accelerations, sorted.
    """

    def __init__(self, records, masks, classical):
        tried = {m for record in records for m in record.get("results", {})}
        self.masks = [mask for mask in masks if mask in tried]
        self.classical = classical
        rows = [
            {
                "cell": Cell(record["acceleration"], mask, record["subject"]),
                **{k: record.get(k) for k in ("seed", "fold", "patients")},
                "volumes": result.get("unit_range"),
            }
            for record in records
            for mask, result in record.get("results", {}).items()
        ]
        # Means over different volumes are not comparable.
        every = {}
        for row in rows:
            every.setdefault(row["fold"], set()).update(row["volumes"] or ())
        rows = [
            row
            for row in rows
            if row["volumes"] and every[row["fold"]] == {*row["volumes"]}
        ]
        self.cells = evaluation.by_cell(rows, key=operator.itemgetter("cell"))
        self.rates = sorted({key[0] for key in self.cells})
        self.seeds = sorted({row["seed"] for row in rows})

    def array(self, rate, metric="psnr"):
        """Return means over the volumes by mask, reconstructor and seed.

        Returns:
            A masked array. The classical reconstructors come first, then the
            U-Nets in the order of their masks.
        """
        names = (*self.classical, *map(unet_of, self.masks))
        shape = len(self.masks), len(names), len(self.seeds)
        scores = np.full(shape, np.nan)
        for i, j in np.ndindex(scores.shape[:2]):
            for row in self.cells.get((rate, self.masks[i], names[j]), []):
                mean, _ = evaluation.mean_and_deviation(row["volumes"], metric)
                scores[i, j, self.seeds.index(row["seed"])] = mean
        return np.ma.masked_invalid(scores)

    def own_and_others(self, scores, i):
        """Scores of a mask with its own U-Net, and with the other U-Nets."""
        unets = scores[i, len(self.classical) :]
        return unets[i], np.ma.concatenate([unets[:i], unets[i + 1 :]])

    def table(self, metric):
        """Header and rows of a table of masks (rows) and reconstructors."""
        header = ["R", "mask", *map(title_of, self.classical)]
        header += [OWN, OTHERS, BEST_OTHER, "seeds"]
        rows = []
        for rate in self.rates:
            scores = self.array(rate, metric)
            for i, mask in enumerate(self.masks):
                own, others = self.own_and_others(scores, i)
                best = "-"
                if others.count():
                    j = others.mean(axis=1).argmax()
                    name = [other for other in self.masks if other != mask][j]
                    best = f"{_spread(others[j], metric)} ({name})"
                columns = scores[i, : len(self.classical)]
                columns = [*columns, own, others.mean(axis=0)]
                texts = [_spread(column, metric) for column in columns]
                count = max(column.count() for column in columns)
                rows.append([f"{rate:g}", mask, *texts, best, str(count)])
        return header, rows

    def claims(self, rivals, names):
        """Compare masks, each with the same reconstructors.

        Args:
            rivals: Dict from a mask to the masks it is compared with.
            names: Names of reconstructors, which may include `OWN`.

        Returns:
            A list of `experiments.Claim`, for each R and each name in turn.
        """
        cells = {
            Cell(rate, mask, name): rows
            for rate in self.rates
            for name in names
            for mask in self.masks
            if (rows := self._rows(rate, mask, name))
        }
        return list(
            against_rivals(
                cells,
                "mask",
                rivals,
                lambda cell, other: (
                    f"{title_of(cell.reconstructor)}: {title_of(cell.mask)} "
                    f"against {title_of(other.mask)}"
                ),
            )
        )

    def claims_of_networks(self):
        """Compare U-Nets on their own mask with U-Nets on other masks.

        Returns:
            A list of `experiments.Claim`, one for each R. Its rows have means
            over all masks.
        """
        found = []
        for rate in self.rates:
            own, others = {}, {}
            for mask in self.masks:
                for row in self._rows(rate, mask, OWN):
                    own.setdefault(partner(row), []).append(row)
                for other in self.masks:
                    if other != mask:
                        rows = self._rows(rate, mask, unet_of(other))
                        for row in rows:
                            others.setdefault(partner(row), []).append(row)
            subject = "mean over masks: their own U-Net against another's"
            pair = [list(map(_averaged, x.values())) for x in (own, others)]
            found.append(Claim(subject, *pair, acceleration=rate))
        return found

    def _rows(self, rate, mask, name):
        """The rows of a cell; `name` may be `OWN`."""
        name = unet_of(mask) if name == OWN else name
        return self.cells.get((rate, mask, name), [])

    def cost_of_others(self, rate):
        """A sentence on the loss if another mask's U-Net is used."""
        scores = self.array(rate)
        pairs = [self.own_and_others(scores, i) for i in range(len(self.masks))]
        costs = np.ma.concatenate([own - others for own, others in pairs])
        if not costs.count():
            return []
        return [
            f"R = {rate:g}: a mask's own U-Net is better than another's by "
            f"{costs.mean():.2f} dB on average, from {costs.min():.2f} to "
            f"{costs.max():.2f} over {costs.count()} pairs and seeds."
        ]

    def draw(self, rate):
        """Draw the mean PSNR over seeds of each U-Net with each mask."""
        matrix = self.array(rate)[:, len(self.classical) :].mean(axis=2).T
        if not matrix.count():
            return None
        figure, ax = heat_map(
            matrix, [mask.replace("_", "\n") for mask in self.masks]
        )
        ax.set(
            xlabel="mask that is tested",
            ylabel="mask that the U-Net was trained for",
            title=f"R = {rate:g}: PSNR [dB]",
        )
        return figure


def draw_masks(paths, columns):
    """Draw the existing masks from a dict of paths by name."""
    shown = {
        title_of(name): SamplingMask.load(path).array
        for name, path in paths.items()
        if path.exists()
    }
    return plots.masks(shown, columns=columns) if shown else None


def draw_reconstructions(images, *groups):
    """Draw the same slice by one reconstructor with several masks.

    Args:
        images: Dict by mask of the pictures of
            `experiments.trials.try_on_all`, as loaded by
            `experiments.load_images`.
        *groups: Names of masks to draw next to each other.
    """
    return draw_outputs(
        *(
            {
                title_of(mask): {
                    "truth": images[mask]["truth"][0],
                    "output": images[mask][mask][0],
                    "voxel_size": images[mask].get("voxel_size"),
                }
                for mask in group
                if mask in images.get(mask, {})
            }
            for group in groups
        )
    )


def _averaged(rows):
    """A row with the mean PSNR of each volume over rows of one fold."""
    volumes = {
        volume: {
            "psnr": np.mean([row["volumes"][volume]["psnr"] for row in rows])
        }
        for volume in rows[0]["volumes"]
    }
    return {**rows[0], "volumes": volumes}


def _spread(values, metric):
    return report.spread(values.compressed(), DIGITS[metric])
