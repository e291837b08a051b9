import pytest

from experiments.side_by_side import side_by_side


def test_a_value_for_each_preset_or_for_all():
    found = side_by_side(
        ("paper", "smoke"), filters=(64, 4), seeds=[0, 1], data=("a", "b")
    )
    assert found == {
        "paper": {"filters": 64, "seeds": [0, 1], "data": "a"},
        "smoke": {"filters": 4, "seeds": [0, 1], "data": "b"},
    }


def test_a_value_too_few():
    with pytest.raises(ValueError):
        side_by_side(("paper", "cpu", "smoke"), filters=(64, 4))
