import sys

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg


@pytest.fixture(autouse=True)
def no_pyplot(monkeypatch):
    """An import of pyplot, which needs a display or a backend, fails."""
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)


@pytest.fixture
def draw():
    """`draw(figure)`: render for real, much goes wrong only then."""
    return _draw


def _draw(figure):
    # The canvas that a figure has by itself draws nothing.
    FigureCanvasAgg(figure).draw()
    return figure
