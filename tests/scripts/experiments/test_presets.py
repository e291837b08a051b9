import pytest

from experiments import presets


def test_other_settings_win():
    found = presets.training_and(
        ("cpu", "smoke"), filters=(3, 2), sizes=[64], epochs=[1, 1]
    )
    assert list(found) == ["cpu", "smoke"]
    assert found["cpu"] == {
        **presets.TRAINING["cpu"],
        **{"filters": 3, "sizes": [64], "epochs": [1, 1]},
    }


@pytest.mark.parametrize(
    "name", ["TRAINING", "MASK_TRANSFER", "DEFAULTS", "DROP_RATES"]
)
def test_presets_have_the_same_settings_of_the_same_types(name):
    first, *others = getattr(presets, name).values()
    assert others
    for other in others:
        assert list(other) == list(first)
        for key, value in other.items():
            if None not in (value, first[key]):
                assert type(value) is type(first[key])
