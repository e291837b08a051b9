"""Make the table of all results from the records that are kept with them.

    python scripts/results_table.py
    python scripts/results_table.py --write

Each experiment has its records in docs/results, in a folder of its own. This
script computes the comparisons of each again, as the `--report` of its script
does, and picks those that answer a paper's claim. It needs no data and trains
nothing. With --write, the table of docs/results/all.md is replaced; `make
results` does that.
"""

import argparse
import dataclasses
import importlib
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
COLUMNS = ["system", "claim", "found", "verdict"]


@dataclasses.dataclass(frozen=True)
class Entry:
    """A claim, and the comparison that answers it.

    Attributes:
        system: String, a link to the page and its title.
        claim: String, the claim in words.
        script: String, the name of the script.
        folder: String, the folder with the records, below docs/results.
        comparison: String, how the comparison is called in the report: the R
            and the text of a table of claims, or the start of a sentence.
        what: String, which condition the figure is for.
    """

    system: str
    claim: str
    script: str
    folder: str
    comparison: str
    what: str = ""


FOUR_S = "[4S](4s.md)"
TRANSFER = "[masks and reconstructors](mask_transfer.md)"
FASTMRI = "[fastMRI's U-Net](fastmri_unet.md)"
XPDNET = "[unrolled networks](xpdnet.md)"
SELF = "[training without full scans](self_supervision.md)"
FROM_SCANS = "[masks from undersampled scans](mask_from_scans.md)"
K_BAND = "[bands of k-space](k_band.md)"
NC_PDNET = "[non-Cartesian networks](ncpdnet.md)"
CHALLENGE = "[fastMRI challenge, two simulated vendors](challenge.md)"
SHAPES = "[shapes of masks](mask_shapes.md)"
POSTERIOR = "[posterior samples](posterior.md)"
SPARKLING = "[densities of curves](sparkling.md)"
LEARNED = "[learned trajectories](learned_trajectories.md)"
UNSEEN = "[scans not seen in training](unseen.md)"
EQUILIBRIA = "[gradients of equilibria](shine.md)"
ITERATIONS = "[iterations in the test](iterations.md)"

ENTRIES = [
    *(
        Entry(
            FOUR_S,
            "raising the slope beats one fixed slope",
            "reproduce_4s",
            "4s_folds",
            f"{rate}: 4S{two} against s = {slope}, {rounds}, {region}",
            f"R = {rate}, {region}, 4S{two} against s = {slope}, {rounds}",
        )
        for rate in (4, 8)
        for region, slope, rounds, two in (
            ("no region", 20, "one round", ", two rounds,"),
            ("no region", 20, "two rounds", ""),
            ("with a region", 20, "one round", ", two rounds,"),
            ("with a region", 200, "two rounds", ""),
        )
    ),
    *(
        Entry(
            FOUR_S,
            "a calibration region inside the budget (not from the paper)",
            "reproduce_4s",
            "4s_folds",
            f"{rate}: 4S, two rounds: a region against none",
            f"R = {rate}, two rounds",
        )
        for rate in (4, 8)
    ),
    *(
        Entry(
            FOUR_S,
            "another schedule or estimator beats 4S (not from the paper)",
            "reproduce_4s",
            "4s_folds",
            f"4: {method} against 4S, with a region",
            f"R = 4, {method.replace('_', ' ')}, two rounds, with a region",
        )
        for method in (
            *("linear", "geometric", "cosine"),
            *("straight_through", "concrete", "gumbel_topk"),
        )
    ),
    *(
        Entry(
            "[LOUPE](drop_rates.md)",
            "a learned mask beats a uniform random one, neither with a region",
            "reproduce_drop_rates",
            "drop_rates_folds",
            f": mse, drop rate {rate}: learned against unlearned mask",
            f"drop rate {rate}",
        )
        for rate in (0.2, 0.4, 0.6)
    ),
    *(
        Entry(
            TRANSFER,
            f"a mask learned with a U-Net {region} serves other methods too",
            "mask_transfer",
            "mask_transfer_folds",
            f"4: {method}: {learned} against {given}",
            f"R = 4, {method}, against {given} with a region",
        )
        for region, learned, rivals in (
            (
                "and a region",
                "learned calibrated",
                ("gaussian", "poisson disc"),
            ),
            ("without a region", "learned", ("gaussian",)),
        )
        for method in ("own U-Net", "wavelet l1", "total variation")
        for given in rivals
    ),
    *(
        Entry(
            FASTMRI,
            "a learned mask of lines beats fastMRI's masks",
            "reproduce_fastmri_unet",
            "fastmri_unet",
            f"R = {rate}, U-Net on learned against equispaced lines:",
            f"R = {rate}, equispaced lines",
        )
        for rate in (4, 8)
    ),
    *(
        Entry(
            SHAPES,
            "lines are as good as points at the same budget",
            "compare_mask_shapes",
            "mask_shapes_folds",
            f"4: {shape} against points",
            f"R = 4, {shape} against points",
        )
        for shape in ("columns", "rows")
    ),
    *(
        Entry(
            XPDNET,
            "an unrolled network beats a U-Net with the same number of weights",
            "reproduce_xpdnet",
            "xpdnet",
            f"4: 1 coil, learned points: {network} ×5 against U-Net",
            f"R = 4, learned points, {network}",
        )
        for network in ("XPDNet", "MoDL", "VarNet")
    ),
    *(
        Entry(
            XPDNET,
            f"learned lines beat {lines} lines",
            "reproduce_xpdnet",
            "xpdnet",
            f"4: 1 coil, {network}: learned lines against {lines} lines",
            f"R = 4, {network.removesuffix(' ×5')}",
        )
        for lines in ("equispaced", "central")
        for network in ("U-Net", "VarNet ×5")
    ),
    *(
        Entry(
            SELF,
            claim,
            "reproduce_self_supervision",
            "self_supervision",
            f": 1 coil, {masks}: {comparison}",
            f"R = 4, {masks}, {comparison}",
        )
        for claim, comparison in (
            (
                "hold-out learns from undersampled scans alone",
                "hold-out against zero-filled",
            ),
            (
                "full scans teach more than undersampled ones",
                "full images against hold-out",
            ),
        )
        for masks in ("a mask for each slice", "one mask, learned with a U-Net")
    ),
    Entry(
        SELF,
        "hold-out beats compressed sensing, which needs no full images either",
        "reproduce_self_supervision",
        "self_supervision",
        ": 1 coil, a mask for each slice: hold-out against CS, total variation",
        "R = 4, a mask for each slice",
    ),
    Entry(
        SELF,
        "weights help where masks are drawn from the P of a learned mask",
        "reproduce_self_supervision",
        "self_supervision",
        ": 1 coil, draws of a learned mask: "
        "hold-out, weighted against hold-out",
        "R = 4",
    ),
    Entry(
        SELF,
        "with one mask, the weighted form is better",
        "reproduce_self_supervision",
        "self_supervision",
        ": 1 coil, one mask, learned with a U-Net: "
        "hold-out, weighted against hold-out",
        "R = 4, learned with a U-Net",
    ),
    Entry(
        SELF,
        "a teacher that sees more samples helps, and does not collapse",
        "reproduce_self_supervision",
        "self_supervision",
        ": 1 coil, a mask for each slice: hold-out and a teacher "
        "against hold-out",
        "R = 4, a mask for each slice",
    ),
    *(
        Entry(
            FROM_SCANS,
            "a mask can be learned from undersampled scans (not from a paper)",
            "learn_mask_from_scans",
            "mask_from_scans",
            f": learned from undersampled scans against {other}, retrained",
            f"R = 4, against {words}",
        )
        for other, words in (
            ("variable density", "variable density"),
            ("learned from full scans", "learned from full scans"),
        )
    ),
    *(
        Entry(
            K_BAND,
            claim,
            "reproduce_k_band",
            "k_band",
            f": {comparison}",
            f"R = 3, {comparison}",
        )
        for claim, comparison in (
            (
                "bands at random angles nearly replace full scans",
                "K-band against square",
            ),
            (
                "bands at random angles nearly replace full scans",
                "K-band against K-band without weights",
            ),
            (
                "full scans teach more than bands",
                "full scans against K-band",
            ),
        )
    ),
    *(
        Entry(
            NC_PDNET,
            claim,
            "reproduce_ncpdnet",
            "ncpdnet",
            f"4.7: {curve}, NC-PDNet against {rival}",
            f"{curve}, R = 4.7, {what}",
        )
        for claim, rival, what in (
            (
                "an unrolled network beats a U-Net on the adjoint",
                "U-Net on the adjoint",
                "the same number of weights",
            ),
            (
                "an unrolled network beats compressed sensing",
                "CS, total variation",
                "total variation",
            ),
            (
                "density compensation matters",
                "NC-PDNet without D",
                "with it against without",
            ),
        )
        for curve in ("spokes", "in-out spirals", "spiral")
    ),
    *(
        Entry(
            SPARKLING,
            claim,
            "reproduce_sparkling",
            "sparkling",
            f"4: CS, total variation: {first} against {second}",
            f"R = 4, total variation, against {second}",
        )
        for claim, first, second in (
            (
                "curves are best after a learned density",
                "learned density, -log(1 - P)",
                "decaying density",
            ),
            (
                "curves are best after a learned density",
                "learned density, -log(1 - P)",
                "spokes",
            ),
            (
                "a decaying density is better than a uniform one",
                "decaying density",
                "uniform density",
            ),
        )
    ),
    *(
        Entry(
            SPARKLING,
            "a learned density is best for a twentieth of the samples",
            "reproduce_sparkling",
            "sparkling128",
            f"20: CS, total variation: learned density, -log(1 - P) against "
            f"{other}",
            f"R = 20, total variation, against {other}",
        )
        for other in ("decaying density", "spokes")
    ),
    *(
        Entry(
            LEARNED,
            claim,
            "reproduce_learned_trajectories",
            "learned_trajectories",
            f"4: compensated adjoint: {first} against {second}",
            f"R = 4, compensated adjoint, against {second}",
        )
        for claim, first, second in (
            (
                "curves learned by projection beat the spokes they began as",
                "learned by projection",
                "spokes",
            ),
            (
                "projection is at least as good as a penalty",
                "learned by projection",
                "learned by penalty",
            ),
            (
                "several resolutions are at least as good as one",
                "by projection, coarse to fine",
                "learned by projection",
            ),
        )
    ),
    *(
        Entry(
            LEARNED,
            "gradients through density compensation help (not from a paper)",
            "reproduce_learned_trajectories",
            "learned_trajectories",
            f"4: {method}: by projection, D differentiated against learned by "
            f"projection",
            f"R = 4, {method}, against none",
        )
        for method in ("compensated adjoint", "NC-PDNet")
    ),
    Entry(
        LEARNED,
        "curves learned with a network beat the spokes they began as",
        "reproduce_learned_trajectories",
        "learned_trajectories",
        "4: NC-PDNet: by projection, D differentiated against spokes",
        "R = 4, NC-PDNet",
    ),
    *(
        Entry(
            CHALLENGE,
            "an unrolled network beats a U-Net, on other vendors too",
            "evaluate_challenge",
            "challenge",
            f": {scan}: VarNet against U-Net",
            what,
        )
        for scan, what in (
            ("4x, A", "4x, vendor of the training"),
            ("8x, A", "8x, vendor of the training"),
            ("transfer, B", "transfer, another vendor"),
            ("transfer, B, padded", "transfer, another vendor, with zeros"),
        )
    ),
    *(
        Entry(
            CHALLENGE,
            "zeros make up for a read-out without oversampling",
            "evaluate_challenge",
            "challenge",
            f": {scan}: {network}, with zeros against without",
            f"{network}, {what}",
        )
        for scan, what in (
            ("4x, A, restored", "the same vendor"),
            ("transfer, B, padded", "another vendor"),
        )
        for network in ("U-Net", "VarNet")
    ),
    *(
        Entry(
            UNSEEN,
            f"a network beats {words} on scans that it has not seen",
            "reproduce_unseen",
            "unseen",
            f": {scan}: MoDL against {other}",
            f"MoDL, {scan}",
        )
        for other, words in (
            ("CS, total variation", "total variation"),
            ("GRAPPA", "GRAPPA"),
        )
        for scan in (
            *("as trained", "T1", "R = 3"),
            *("R = 6", "random lines", "noise"),
        )
    ),
    *(
        Entry(
            POSTERIOR,
            "the mean of posterior samples is a good reconstruction",
            "reproduce_posterior",
            "posterior",
            f"8: mean of score network against {other}",
            f"R = 8, against {words}",
        )
        for other, words in (
            ("zero-filled", "zero-filling"),
            ("U-Net", "a U-Net trained for the mask"),
        )
    ),
    *(
        Entry(
            POSTERIOR,
            "lines where the posterior varies most are the best to acquire",
            "reproduce_posterior",
            "posterior",
            f"8: score network: uncertain lines against {other} lines",
            f"R = 8, against {words} lines",
        )
        for other, words in (
            ("random", "random"),
            ("power", "the strongest"),
        )
    ),
    *(
        Entry(
            EQUILIBRIA,
            "approximate gradients train as well as the exact one",
            "reproduce_shine",
            "shine",
            f": 8 filters, 10 iterations: {title} against the exact gradient",
            f"{title}, 8 filters",
        )
        for title in ("SHINE", "SHINE + 5", "phantom, 5 steps", "Jacobian-free")
    ),
    *(
        Entry(
            ITERATIONS,
            "more iterations in the test help",
            "iterations_at_test_time",
            "iterations",
            f": {kind}, 8 filters, {iterations} iterations: {method}, 20 in "
            f"the test against {iterations}",
            f"{method}, {kind}, 20 against {iterations}, 8 filters",
        )
        for kind in ("contracting", "free")
        for method in ("unrolled", "equilibrium")
        for iterations in (3, 10)
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
    found = f"{entry.what}: {gain} dB" if entry.what else f"{gain} dB"
    system = f"{entry.system}, [script](../../scripts/{entry.script}.py)"
    return [system, entry.claim, found, verdict]


def table(entries=ENTRIES, results=RESULTS):
    """Return the table in Markdown.

    Args:
        entries: List of `Entry`.
        results: Path of the folder with the folders of records.
    """
    kept, rows = {}, []
    for entry in entries:
        place = entry.script, entry.folder
        if place not in kept:
            kept[place] = comparisons(entry.script, results / entry.folder)
        row = row_of(entry, kept[place])
        # A claim is written once, before its first figure.
        repeated = rows and row[:2] == rows[-1][0]
        rows.append((row[:2], ["", ""] + row[2:] if repeated else row))
    return report.markdown_table(COLUMNS, [row for _, row in rows])


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
