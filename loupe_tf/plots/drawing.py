"""Helpers that all figures share."""

# Okabe and Ito's colours, which colour-blind readers can distinguish. Curves
# also differ in line style.
COLOURS = [
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#000000",
]
STYLES = ["-", "--", "-.", ":"]


def get_figure(figure, width, height):
    """Return the given figure, or a new one of this size in inches."""
    if figure is not None:
        return figure
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=150, layout="constrained")


def plain(name):
    """Escape a name for Matplotlib, so that dollars do not begin a formula.

    Bytes that are not text, as in some file names, are replaced.
    """
    text = str(name).encode("utf-8", "replace").decode("utf-8")
    return text.replace("$", r"\$")
