import pytest

from experiments import presets
from experiments.presets import (
    comparing_masks,
    defaults,
    drop_rates,
    fastmri_unet,
    four_s,
    learned_trajectories,
    mask_shapes,
    mask_transfer,
    posterior,
    sparkling,
    xpdnet,
)


@pytest.mark.parametrize(
    "every",
    [
        comparing_masks.TRAINING,
        defaults.PRESETS,
        drop_rates.PRESETS,
        fastmri_unet.PRESETS,
        four_s.PRESETS,
        learned_trajectories.PRESETS,
        mask_transfer.PRESETS,
        posterior.PRESETS,
        sparkling.PRESETS,
        xpdnet.PRESETS,
    ],
)
def test_presets_have_the_same_settings_of_the_same_types(every):
    first, *others = every.values()
    assert others
    for other in others:
        assert list(other) == list(first)
        for key, value in other.items():
            if None not in (value, first[key]):
                assert type(value) is type(first[key])


@pytest.mark.parametrize(
    "module",
    [
        defaults,
        drop_rates,
        fastmri_unet,
        mask_shapes,
        mask_transfer,
        posterior,
    ],
)
def test_what_is_given_wins(module):
    settings = module.parse(
        "Title.\n\nText.", ["--preset", "cpu", "--filters", "3"]
    )
    assert settings["filters"] == 3 and settings["preset"] == "cpu"
    name = module.__name__.removeprefix(f"{presets.__name__}.")
    assert settings["out"] == f"runs/{name}_cpu"
