import numpy as np

from experiments.heat_map import heat_map


def test_numbers_on_their_colours():
    matrix = np.ma.masked_invalid([[3.0, 1.0], [np.nan, 2.5]])
    _, ax = heat_map(matrix, ["a", "b"])
    texts = {text.get_position(): text for text in ax.texts}
    assert {k: text.get_text() for k, text in texts.items()} == {
        (0, 0): "3.00",
        (1, 0): "1.00",
        (1, 1): "2.50",
    }
    assert texts[1, 0].get_color() == "white"
    assert texts[1, 1].get_fontweight() == "bold"
    assert [label.get_text() for label in ax.get_xticklabels()] == ["a", "b"]
