from experiments.presets import comparing_masks


def test_other_settings_win():
    found = comparing_masks.training_and(
        ("cpu", "smoke"), filters=(3, 2), sizes=[64], epochs=[1, 1]
    )
    assert list(found) == ["cpu", "smoke"]
    assert found["cpu"] == {
        **comparing_masks.TRAINING["cpu"],
        **{"filters": 3, "sizes": [64], "epochs": [1, 1]},
    }
