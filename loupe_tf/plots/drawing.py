"""What all figures share."""

# Okabe and Ito's colours, told apart by colour-blind readers too; each comes
# with its own line style.
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
    """The figure given, or a new one of that size in inches."""
    if figure is not None:
        return figure
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=150, layout="constrained")


def plain(name):
    """A name as Matplotlib draws it: dollars begin no formula.

    Names of files may also hold bytes that are no text.
    """
    text = str(name).encode("utf-8", "replace").decode("utf-8")
    return text.replace("$", r"\$")
