"""Make the tables of all results from the records that are kept with them.

    python scripts/results_table.py
    python scripts/results_table.py --write

Each experiment has its records in docs/results, in a folder of its own. This
script computes the comparisons of each again, as the `--report` of its script
does, and picks those that answer a paper's claim. It needs no data and trains
nothing. With --write, the tables of docs/results/all.md are replaced; `make
results` does that.
"""

import argparse
import collections
import dataclasses
import importlib
import itertools
import pathlib
import re
import sys

from experiments.claims import HEADER
from loupe_tf import report
from loupe_tf.checks import invalid
from loupe_tf.command_line import exit_code
from loupe_tf.run_folder import RunFolder

RESULTS = pathlib.Path(__file__).parents[1] / "docs" / "results"
PAGE = RESULTS / "all.md"
BEGIN, END = "<!-- The table begins here. -->", "<!-- The table ends here. -->"
COLUMNS = ["A against B", "where", "gain [dB]", "verdict"]


@dataclasses.dataclass(frozen=True)
class System:
    """A page of results, and where its records are.

    Attributes:
        title: String, the heading.
        page: String, the file in docs/results.
        script: String, the name of the script.
        question: String, what a reader wants to know: the heading above those
            of all systems that answer it.
    """

    title: str
    page: str
    script: str
    question: str

    def claim(self, claim, folder, *rows):
        """Return an `Entry` for each row.

        Args:
            claim: String, the claim in words.
            folder: String, the folder with the records, below docs/results.
            rows: Tuples of the other fields of an `Entry`.
        """
        return [Entry(self, claim, folder, *row) for row in rows]


@dataclasses.dataclass(frozen=True)
class Entry:
    """A claim, and a comparison that tests it.

    Attributes:
        system: `System`.
        claim: String, the claim in words.
        folder: String, the folder with the records, below docs/results.
        comparison: String, how the comparison is called in the report: the R
            and the text of a table of claims, or the start of a sentence.
        pair: String, "A against B": the gain is that of A.
        where: String, the condition, such as the R and the reconstruction.
    """

    system: System
    claim: str
    folder: str
    comparison: str
    pair: str
    where: str


MASKS = "Which samples to acquire"
NETWORKS = "Which network to use"
SCANS = "What to do without full scans"
ALONG_CURVES = "How to scan and reconstruct along curves"
MODELS = "How certain an image is, and implicit models"

FOUR_S = System("4S and fixed slopes", "4s.md", "reproduce_4s", MASKS)
LOUPE = System(
    "Learned and unlearned masks",
    "drop_rates.md",
    "reproduce_drop_rates",
    MASKS,
)
TRANSFER = System(
    "Masks and reconstructors", "mask_transfer.md", "mask_transfer", MASKS
)
TUNED = System(
    "Tuned points",
    "mask_transfer.md#tuned-rivals",
    "reproduce_xpdnet",
    MASKS,
)
FASTMRI = System(
    "The fastMRI U-Net", "fastmri_unet.md", "reproduce_fastmri_unet", MASKS
)
SHAPES = System(
    "Shapes of masks", "mask_shapes.md", "compare_mask_shapes", MASKS
)
XPDNET = System("Unrolled networks", "xpdnet.md", "reproduce_xpdnet", NETWORKS)
CHALLENGE = System(
    "The fastMRI challenge, two simulated vendors",
    "challenge.md",
    "evaluate_challenge",
    NETWORKS,
)
UNSEEN = System(
    "Scans not seen in training", "unseen.md", "reproduce_unseen", NETWORKS
)
SELF = System(
    "Training without full scans",
    "self_supervision.md",
    "reproduce_self_supervision",
    SCANS,
)
FROM_SCANS = System(
    "A mask from undersampled scans",
    "mask_from_scans.md",
    "learn_mask_from_scans",
    SCANS,
)
K_BAND = System("Bands of k-space", "k_band.md", "reproduce_k_band", SCANS)
NC_PDNET = System(
    "Non-Cartesian networks", "ncpdnet.md", "reproduce_ncpdnet", ALONG_CURVES
)
SPARKLING = System(
    "Densities of curves", "sparkling.md", "reproduce_sparkling", ALONG_CURVES
)
LEARNED = System(
    "Learned trajectories",
    "learned_trajectories.md",
    "reproduce_learned_trajectories",
    ALONG_CURVES,
)
POSTERIOR = System(
    "Posterior samples", "posterior.md", "reproduce_posterior", MODELS
)
EQUILIBRIA = System(
    "Gradients of equilibria", "shine.md", "reproduce_shine", MODELS
)
ITERATIONS = System(
    "Iterations in the test",
    "iterations.md",
    "iterations_at_test_time",
    MODELS,
)


def against_4s(method, name):
    """A row of the comparisons of other methods with 4S."""
    return (
        f"4: {method} against 4S, {REGION}",
        f"{name} against 4S",
        f"R = 4, {REGION}, two rounds",
    )


def of_masks(method, learned, given):
    """A row of the comparisons of masks for a reconstructor."""
    region = learned.replace("learned, no", "learned without a")
    name = given.replace("Poisson", "a Poisson")
    return (
        f"4: {method}: {learned} against {given}",
        f"points {region} against {name}",
        f"R = 4, {method}",
    )


def tuned(coils, noise, given, words):
    """A row of the comparisons of learned points with tuned ones."""
    return (
        f"4: {coils}{noise}, CS, total variation: the U-Net's points against "
        f"{given}",
        f"learned points against {given}",
        f"R = 4, {words}",
    )


def hold_out(masks, first, second):
    """A row of the comparisons of trainings without full scans."""
    words = {"hold-out, weighted": "hold-out with weights"}
    return (
        f": 1 coil, {masks}: {first} against {second}",
        f"{words.get(first, first)} against {words.get(second, second)}",
        f"R = 4, {masks}",
    )


def curves(first, second, rate=4):
    """A row of the comparisons of densities, by total variation."""
    return (
        f"{rate}: CS, total variation: {first} against {second}",
        f"{first} against {second}",
        f"R = {rate}, total variation",
    )


def trajectories(method, first, second, pair):
    """A row of the comparisons of learned curves."""
    return f"4: {method}: {first} against {second}", pair, f"R = 4, {method}"


def of_networks(filters, kind, method, iterations):
    """A row of the comparisons of iterations in the test."""
    return (
        f": {kind}, {filters} filters, {iterations} iterations: {method}, 20 "
        f"in the test against {iterations}",
        f"20 iterations in the test against {iterations}",
        f"{method}, {kind}, {filters} filters, trained with {iterations}",
    )


# A method, whose mask it takes, and its name in words.
FOUR_COILS = (
    ("U-Net", "learned", "U-Net"),
    ("CS, total variation", "the U-Net's", "total variation"),
)
TUNED_POINTS = ("tuned Gaussian points", "a tuned Poisson disc")
REGION, NO_REGION = "with a region", "no region"
EACH_SLICE, ONE_MASK = "a mask for each slice", "one mask, learned with a U-Net"
DRAWS = "draws of a learned mask"
DENSITY = "learned density, -log(1 - P)"
# Each counts R in curves of its kind, so the samples differ.
CURVES = {
    "4.7: spokes": "spokes, 2688 samples",
    "4.7: in-out spirals": "in-out spirals, 2968 samples",
    "4.7: the paper's spirals": "the paper's spirals, 1792 samples, simulation "
    "only",
    "4.7: spiral": "spiral, 1371 samples",
    "8: spokes, 4 coils": "spokes, 1664 samples, four coils",
}
D_THROUGH = "by projection, D differentiated"

ENTRIES = [
    *FOUR_S.claim(
        "4S in two rounds beats a fixed slope in one, as the paper compares",
        "4s_folds",
        *(
            (
                f"{rate}: 4S, two rounds, against s = 20, one round, {region}",
                "4S (two rounds) against s = 20 (one round)",
                f"R = {rate}, {region}",
            )
            for rate in (4, 8)
            for region in (NO_REGION, REGION)
        ),
    ),
    *FOUR_S.claim(
        "4S replaces the choice of a slope, in the same two rounds",
        "4s_folds",
        *(
            (
                f"{rate}: 4S against s = {slope}, two rounds, {region}",
                f"4S against s = {slope}",
                f"R = {rate}, {region}, two rounds",
            )
            for rate in (4, 8)
            for region, slope in ((NO_REGION, 20), (REGION, 200))
        ),
    ),
    *FOUR_S.claim(
        "A fixed slope needs tuning: the best of three against the others",
        "4s_folds",
        *(
            (
                f"{rate}: s = 200 against s = {slope}, two rounds, {REGION}",
                f"s = 200 against s = {slope}",
                f"R = {rate}, {REGION}, two rounds",
            )
            for rate in (4, 8)
            for slope in (20, 2000)
        ),
    ),
    *FOUR_S.claim(
        "A calibration region inside the budget helps (not from the paper)",
        "4s_folds",
        *(
            (
                f"{rate}: 4S, two rounds: a region against none",
                "a region against none",
                f"R = {rate}, 4S, two rounds",
            )
            for rate in (4, 8)
        ),
    ),
    *FOUR_S.claim(
        "Another schedule or estimator beats 4S (not from the paper)",
        "4s_folds",
        *(
            against_4s(*method)
            for method in (
                ("linear", "linear schedule"),
                ("geometric", "geometric schedule"),
                ("cosine", "cosine schedule"),
                ("straight_through", "straight-through"),
                ("concrete", "binary concrete"),
                ("gumbel_topk", "Gumbel top-k"),
            )
        ),
    ),
    *LOUPE.claim(
        "A learned mask beats a uniform random one, neither with a region",
        "drop_rates_folds",
        *(
            (
                f": mse, drop rate {rate}: learned against unlearned mask",
                "a learned mask against a random one",
                f"drop rate {rate}",
            )
            for rate in (0.2, 0.4, 0.6)
        ),
    ),
    *TRANSFER.claim(
        "Points learned with a region beat given ones, for other methods too",
        "mask_transfer_folds",
        *(
            of_masks(method, "learned with a region", given)
            for method in ("own U-Net", "wavelets", "total variation")
            for given in ("Gaussian points", "Poisson disc")
        ),
    ),
    *TRANSFER.claim(
        "Points learned without a region beat given ones",
        "mask_transfer_folds",
        *(
            of_masks(method, "learned, no region", "Gaussian points")
            for method in ("own U-Net", "wavelets", "total variation")
        ),
    ),
    *TRANSFER.claim(
        "A U-Net serves the mask it was trained for best",
        "mask_transfer_folds",
        (
            "4: mean over masks: their own U-Net against another's",
            "a mask's own U-Net against another mask's",
            "R = 4, mean over masks",
        ),
    ),
    *TUNED.claim(
        "Points learned with a U-Net beat tuned ones for total variation (not "
        "from a paper)",
        "tuned_points",
        *(
            tuned(coils, "", given, words)
            for coils, words in (
                ("1 coil", "one coil"),
                ("4 coils", "four coils and a phase"),
            )
            for given in TUNED_POINTS
        ),
    ),
    *TUNED.claim(
        "With four coils and noise, points learned with a U-Net beat tuned "
        "ones for total variation (not from a paper)",
        "tuned_points_noise",
        *(
            tuned(
                "4 coils",
                f", noise {noise}",
                given,
                f"four coils and a phase, peak SNR {peak}",
            )
            for noise, peak in ((0.02, 50), (0.005, 200))
            for given in TUNED_POINTS
        ),
    ),
    *FASTMRI.claim(
        "A learned mask of lines beats fastMRI's masks",
        "fastmri_unet",
        *(
            (
                f"R = {rate}, U-Net on learned against {lines} lines:",
                f"learned lines against {words}",
                f"R = {rate}, U-Net",
            )
            for rate in (4, 8)
            for lines, words in (
                ("equispaced", "equispaced lines"),
                ("fixed", "one random mask"),
            )
        ),
    ),
    *SHAPES.claim(
        "Other shapes are as good as points at the same budget",
        "mask_shapes_folds",
        *(
            (
                f"4: {shape} against points",
                f"{shape} against points",
                "R = 4, U-Net"
                + ", only without a phase" * (shape == "half-plane"),
            )
            for shape in ("columns", "rows", "rows and columns", "half-plane")
        ),
    ),
    *XPDNET.claim(
        "An unrolled network beats a U-Net with as many parameters",
        "xpdnet",
        *(
            (
                f"4: 1 coil, learned {kind}: {network} ×5 against U-Net",
                f"{network} against U-Net",
                f"R = 4, each with its own {kind}",
            )
            for kind in ("points", "lines")
            for network in ("XPDNet", "MoDL", "VarNet")
        ),
        *(
            (
                f"8: 1 coil, learned points: {network} ×5 against U-Net",
                f"{network} against U-Net",
                "R = 8, each with its own points",
            )
            for network in ("MoDL", "VarNet")
        ),
    ),
    *XPDNET.claim(
        "Learned points beat central points",
        "xpdnet",
        *(
            (
                f"4: 1 coil, {method}: {learned} points against central points",
                "learned points against central points",
                f"R = 4, {words}",
            )
            for method, learned, words in (
                ("U-Net", "learned", "U-Net"),
                ("CS, total variation", "the U-Net's", "total variation"),
                ("zero-filled", "the U-Net's", "zero-filled"),
            )
        ),
        *(
            (
                f"4: 4 coils, {method}: {learned} points against central "
                "points",
                "learned points against central points",
                f"R = 4, {words}, four coils and a phase",
            )
            for method, learned, words in FOUR_COILS
        ),
    ),
    *XPDNET.claim(
        "MoDL's learned points beat points that are not learned",
        "xpdnet",
        *(
            (
                f"4: 1 coil, MoDL ×5: learned points against {other}",
                f"learned points against {other}",
                "R = 4, MoDL, trained for each mask",
            )
            for other in ("Gaussian points", "a Poisson disc", "central points")
        ),
    ),
    *XPDNET.claim(
        "More iterations are better, with as many weights",
        "xpdnet",
        *(
            (
                f"4: 1 coil, learned points: {network} ×{more} against "
                f"{network} ×{fewer}",
                f"{more} iterations against {fewer}",
                f"R = 4, {network}, each with its own points",
            )
            for network in ("MoDL", "VarNet")
            for more, fewer in ((3, 1), (5, 3))
        ),
    ),
    *(
        entry
        for lines, networks in (
            ("equispaced", ("U-Net", "VarNet ×5", "MoDL ×5", "XPDNet ×5")),
            ("central", ("U-Net", "VarNet ×5")),
        )
        for entry in XPDNET.claim(
            f"Learned lines beat {lines} lines",
            "xpdnet",
            *(
                (
                    f"4: 1 coil, {network}: learned lines against {lines} "
                    "lines",
                    f"learned lines against {lines} lines",
                    f"R = 4, {network.removesuffix(' ×5')}",
                )
                for network in networks
            ),
            *(
                (
                    f"4: 4 coils, {method}: {learned} lines against {lines} "
                    "lines",
                    f"learned lines against {lines} lines",
                    f"R = 4, {words}, four coils and a phase",
                )
                for method, learned, words in (
                    *FOUR_COILS,
                    # MoDL was not trained on central lines.
                    *[("MoDL ×5", "learned", "MoDL")] * (lines == "equispaced"),
                )
            ),
        )
    ),
    *XPDNET.claim(
        "With eight coils and noise, MoDL's learned lines beat given ones",
        "eight_coils",
        *(
            (
                "4: 8 coils, noise 0.01, MoDL ×5: learned lines against "
                f"{other} lines",
                f"learned lines against {other} lines",
                "R = 4, MoDL, eight coils, an SNR of 100",
            )
            for other in ("equispaced", "random")
        ),
        *(
            (
                "4: 8 coils, noise 0.01, CS, total variation: MoDL's lines "
                f"against {other} lines",
                f"MoDL's lines against {other} lines",
                "R = 4, total variation, eight coils, an SNR of 100",
            )
            for other in ("equispaced", "random")
        ),
    ),
    *XPDNET.claim(
        "With eight coils and noise, MoDL's learned points beat a Poisson disc "
        "(not from a paper)",
        "eight_coils",
        (
            "4: 8 coils, noise 0.01, MoDL ×5: learned points against a "
            "Poisson disc",
            "learned points against a Poisson disc",
            "R = 4, MoDL, eight coils, an SNR of 100",
        ),
    ),
    *CHALLENGE.claim(
        "An unrolled network beats a U-Net, on other vendors too",
        "challenge",
        *(
            (f": {scan}: VarNet against U-Net", "VarNet against U-Net", where)
            for scan, where in (
                ("4x, A", "4x, vendor of the training"),
                ("8x, A", "8x, vendor of the training"),
                ("transfer, B", "4x, other vendor"),
                ("transfer, B, padded", "4x, other vendor, with zeros"),
            )
        ),
    ),
    *CHALLENGE.claim(
        "Zeros help where the read-out is not oversampled",
        "challenge",
        *(
            (
                f": {scan}: {network}, with zeros against without",
                "with zeros against without",
                f"4x, {network}, {where}",
            )
            for scan, where in (
                ("4x, A, restored", "vendor of the training"),
                ("transfer, B, padded", "other vendor"),
            )
            for network in ("U-Net", "VarNet")
        ),
    ),
    # GRAPPA is no rival there: more pixels overlap than there are coils.
    *UNSEEN.claim(
        "A network beats total variation on scans that it has not seen",
        "unseen",
        *(
            (
                f": {scan}: MoDL against CS, total variation",
                "MoDL against total variation",
                at,
            )
            for scan, at in (
                ("as trained", "R = 4, as in training"),
                ("T1", "R = 4, T1-weighted instead of FLAIR"),
                ("R = 3", "R = 3"),
                ("R = 6", "R = 6"),
                ("random lines", "R = 4, random lines"),
                ("8 coils", "R = 4, eight coils instead of four"),
                ("oversampled", "R = 4, oversampled read-out"),
                ("noise", "R = 4, noise, both below zero-filling"),
            )
        ),
    ),
    *UNSEEN.claim(
        "A network beats total variation whose weight was chosen with the "
        "noise (not from a paper)",
        "unseen",
        *(
            (
                f": noise: {network} against CS, total variation, weight for "
                "noise",
                f"{network} against total variation",
                "R = 4, noise",
            )
            for network in (
                *("U-Net", "VarNet", "MoDL"),
                "MoDL, trained with noise",
            )
        ),
    ),
    *UNSEEN.claim(
        "A network should be trained with the noise of the scan (not from a "
        "paper)",
        "unseen",
        *(
            (
                f": {scan}: MoDL, trained with noise against MoDL",
                "trained with noise against without",
                f"R = 4, MoDL, {words}",
            )
            for scan, words in (
                ("noise", "scans with noise"),
                ("as trained", "scans without noise"),
            )
        ),
    ),
    *SELF.claim(
        "Hold-out, without a single full scan, beats zero-filling",
        "self_supervision",
        hold_out(EACH_SLICE, "hold-out", "zero-filled"),
        hold_out(ONE_MASK, "hold-out", "zero-filled"),
    ),
    *SELF.claim(
        "Full scans teach more than undersampled ones",
        "self_supervision",
        hold_out(EACH_SLICE, "full images", "hold-out"),
        hold_out(ONE_MASK, "full images", "hold-out"),
    ),
    *SELF.claim(
        "Hold-out beats compressed sensing, which needs no full images either",
        "self_supervision",
        (
            f": 1 coil, {EACH_SLICE}: hold-out against CS, total variation",
            "hold-out against total variation",
            f"R = 4, {EACH_SLICE}",
        ),
    ),
    *SELF.claim(
        "Weights make hold-out better",
        "self_supervision",
        hold_out(EACH_SLICE, "hold-out, weighted", "hold-out"),
        hold_out(DRAWS, "hold-out, weighted", "hold-out"),
        hold_out(ONE_MASK, "hold-out, weighted", "hold-out"),
    ),
    *SELF.claim(
        "A teacher that sees more samples helps",
        "self_supervision",
        hold_out(EACH_SLICE, "hold-out and a teacher", "hold-out"),
    ),
    *FROM_SCANS.claim(
        "Masks can be learned without full scans (not from a paper)",
        "mask_from_scans",
        *(
            (
                f": {first} against {second}, retrained",
                f"{first} against {second}",
                "R = 4, a network retrained for each mask",
            )
            for first, second in (
                ("learned from undersampled scans", "variable density"),
                ("learned from undersampled scans", "learned from full scans"),
                ("learned from full scans", "variable density"),
            )
        ),
    ),
    *(
        Entry(K_BAND, claim, "k_band", f": {first} against {second}", pair, at)
        for claim, first, second, pair, at in (
            (
                "Bands at random angles teach more than a central square",
                *("K-band", "square", "K-band against square", "R = 3, MoDL"),
            ),
            (
                "Weights for the outer samples help",
                *("K-band", "K-band without weights"),
                *("K-band against K-band without weights", "R = 3, MoDL"),
            ),
            (
                "Full scans teach more than bands",
                *("full scans", "K-band"),
                *("full scans against K-band", "R = 3, MoDL"),
            ),
            (
                "A mask learned inside the band beats a Gaussian one",
                *("K-band, learned mask", "K-band"),
                "learned mask against Gaussian mask",
                "R = 3, MoDL, K-band",
            ),
        )
    ),
    *(
        entry
        for claim, rival, words in (
            (
                "An unrolled network beats a U-Net with as many parameters",
                *("U-Net on the adjoint", "U-Net on the adjoint"),
            ),
            (
                "An unrolled network beats compressed sensing",
                *("CS, total variation", "total variation"),
            ),
            (
                "Density compensation helps an unrolled network",
                *("NC-PDNet without D", "NC-PDNet without compensation"),
            ),
        )
        for entry in NC_PDNET.claim(
            f"{claim}, on five trajectories (one in simulation only)",
            "ncpdnet",
            *(
                (
                    f"{curve}, NC-PDNet against {rival}",
                    f"NC-PDNet against {words}",
                    CURVES[curve],
                )
                for curve in CURVES
            ),
        )
    ),
    *SPARKLING.claim(
        "Curves that follow a learned density are the best",
        "sparkling",
        curves(DENSITY, "decaying density"),
        curves(DENSITY, "spokes"),
    ),
    *SPARKLING.claim(
        "The learned P is itself a good density",
        "sparkling",
        curves("learned density, P", "decaying density"),
    ),
    *SPARKLING.claim(
        "A decaying density is better than a uniform one",
        "sparkling",
        curves("decaying density", "uniform density"),
    ),
    *SPARKLING.claim(
        "Curves of a learned density are the best at R = 20",
        "sparkling128",
        curves(DENSITY, "decaying density", 20),
        curves(DENSITY, "spokes", 20),
    ),
    *LEARNED.claim(
        "Curves learned by projection beat the spokes they began as",
        "learned_trajectories",
        trajectories(
            *("compensated adjoint", "learned by projection", "spokes"),
            "learned by projection against spokes",
        ),
        trajectories(
            *("NC-PDNet", "learned by projection", "spokes"),
            "learned by projection against spokes",
        ),
        trajectories(
            *("NC-PDNet", D_THROUGH, "spokes"),
            "the same with gradients through D against spokes",
        ),
    ),
    *LEARNED.claim(
        "Projection is at least as good as a penalty",
        "learned_trajectories",
        trajectories(
            *("compensated adjoint", "learned by projection"),
            *("learned by penalty", "projection against penalty"),
        ),
    ),
    *LEARNED.claim(
        "Several resolutions are at least as good as one",
        "learned_trajectories",
        trajectories(
            *("compensated adjoint", "by projection, coarse to fine"),
            *("learned by projection", "coarse to fine against one resolution"),
        ),
    ),
    *LEARNED.claim(
        "Gradients through density compensation help (not from a paper)",
        "learned_trajectories",
        *(
            trajectories(
                *(method, D_THROUGH, "learned by projection"),
                "gradients through D against D held constant",
            )
            for method in ("compensated adjoint", "NC-PDNet")
        ),
    ),
    *POSTERIOR.claim(
        "The mean of samples beats zero-filling and a U-Net for the mask",
        "posterior",
        *(
            (
                f"8: mean of score network against {rival}",
                f"mean of the samples against {words}",
                "R = 8, random lines",
            )
            for rival, words in (
                ("zero-filled", "zero-filling"),
                ("U-Net", "a U-Net trained for the mask"),
            )
        ),
    ),
    *POSTERIOR.claim(
        "Lines where the posterior varies most are the best to acquire",
        "posterior",
        *(
            (
                f"8: score network: uncertain lines against {rival} lines",
                f"lines of largest variance against {words}",
                "R = 8, mean of the samples",
            )
            for rival, words in (
                ("random", "random lines"),
                ("power", "the strongest lines"),
                ("learned", "lines learned by 4S"),
            )
        ),
    ),
    *EQUILIBRIA.claim(
        "Approximate gradients train as well as the exact one",
        "shine",
        *(
            (
                f": 8 filters, 10 iterations: {title} against the exact "
                "gradient",
                f"{title} against the exact gradient",
                "8 filters, 10 iterations",
            )
            for title in (
                *("SHINE", "SHINE + 5", "phantom, 5 steps"),
                "Jacobian-free",
            )
        ),
    ),
    *ITERATIONS.claim(
        "More iterations in the test than in training help",
        "iterations",
        *(
            of_networks(8, kind, method, iterations)
            for kind in ("contracting", "free")
            for method in ("unrolled", "equilibrium")
            for iterations in (3, 10)
        ),
    ),
    *ITERATIONS.claim(
        "An equilibrium is as good as an unrolled network",
        "iterations",
        *(
            (
                f": {kind}, {filters} filters, 10 iterations: 4 epochs of the "
                "equilibrium against 4 of the unrolled network",
                "equilibrium against unrolled",
                f"{kind}, {filters} filters, 10 iterations",
            )
            for kind in ("contracting", "free")
            for filters in (8, 32)
        ),
    ),
]


def comparisons(script, folder):
    """Return the comparisons of a folder's records, by what they are called.

    Args:
        script: String, the name of the script that left them.
        folder: Path.

    Returns:
        A dict from the name to a pair of texts: the gain, and the verdict,
        which is empty for a sentence.
    """
    records = RunFolder(folder).records()
    if not records:
        raise invalid("folder", "a folder with records", folder)
    module = importlib.import_module(script)
    found = module.results(records, RunFolder(folder))
    named = {}
    for header, rows in (found.get("tables") or {}).values():
        if header == HEADER:
            for rate, what, gain, verdict in rows:
                named[f"{rate}: {what}"] = gain, verdict
    for sentence in found["sentences"]:
        named[sentence] = sentence, ""
    return named


def row_of(entry, named):
    """Return the row of an entry.

    Args:
        entry: `Entry`.
        named: The result of `comparisons`.

    Raises:
        ValueError: If not exactly one comparison is meant.
    """
    exact = [x for x in named if x == entry.comparison]
    meant = exact or [x for x in named if x.startswith(entry.comparison)]
    if len(meant) != 1:
        raise invalid(
            "comparison",
            f"one of docs/results/{entry.folder}",
            found=f"{entry.comparison!r}, which is {len(meant)} of them",
        )
    gain, verdict = named[meant[0]]
    if not verdict:
        gain = re.search(r"[+-]\d+\.\d+(?=( ± \d+\.\d+)? dB)", gain).group()
        verdict = "a hint: one test volume"
        if "one test volume" not in meant[0]:
            verdict = "several volumes, no interval"
    elif not re.search("[1-9]", gain):
        verdict = "the same, to 0.01 dB"
    elif not verdict.startswith("inconclusive"):
        verdict = re.sub(r" \(detectable: [\d.]+\)", "", verdict)
    return [entry.pair, entry.where, gain, verdict]


def tally(rows):
    """Return a sentence on how many rows have which verdict.

    Args:
        rows: List of what `row_of` returns.
    """
    # A verdict may end with a remark, as in "better (detectable: 0.47)".
    words = [re.split("[:,(]", verdict)[0].strip() for *_, verdict in rows]
    counts = collections.Counter(words)
    if len(rows) == 1:
        return f"Found: {words[0]}, in one comparison."
    if len(counts) == 1:
        each = "both" if len(rows) == 2 else f"all {len(rows)}"
        return f"Found: {words[0]} in {each} comparisons."
    (first, n), *others = counts.items()
    rest = "".join(f", {word} in {n}" for word, n in others)
    return f"Found: {first} in {n} of {len(rows)} comparisons{rest}."


def typeset(text):
    """Replace hyphens before numbers and terms by minus signs."""
    text = re.sub(r"(?<![^\s\[])-(?=[a-z\d])", "−", text)
    return text.replace(" - ", " − ")


def table(entries=ENTRIES, results=RESULTS):
    """Return the tables of all claims in Markdown, below their systems.

    Each claim is a fold: what was found can be read while it is closed.

    Args:
        entries: List of `Entry`, those of a claim one after the other, and so
            those of a system and those of a question.
        results: Path of the folder with the folders of records.
    """
    kept, parts, last, question = {}, [], None, None
    for claim, rows in itertools.groupby(
        entries, lambda entry: (entry.system, entry.claim)
    ):
        system, words = claim
        if system.question != question:
            question = system.question
            parts.append(f"## {question}")
        if system != last:
            parts += [
                f"### {system.title}",
                f"[The page]({system.page}), "
                f"[the script](../../scripts/{system.script}.py).",
            ]
            last = system
        found = []
        for entry in rows:
            place = system.script, entry.folder
            if place not in kept:
                folder = results / entry.folder
                kept[place] = comparisons(system.script, folder)
            found.append(row_of(entry, kept[place]))
        parts += [
            '<details markdown="1">\n'
            f"<summary>Claim: {words}. {tally(found)}</summary>",
            typeset(report.markdown_table(COLUMNS, found)),
            "</details>",
        ]
    return "\n\n".join(parts)


def write(path=PAGE):
    """Replace the table of the page."""
    text = path.read_text("utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    path.write_text(f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}", "utf-8")


def main(arguments=None):
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--write", action="store_true", help=f"replace the table of {PAGE.name}"
    )
    options = parser.parse_args(arguments)

    def run():
        if options.write:
            write()
        else:
            print(table())

    return exit_code(run)


if __name__ == "__main__":
    sys.exit(main())
