import pytest

from loupe_tf import posterior


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"length": 0}, {"length": 2}])
def test_arguments_are_checked(wrong):
    with pytest.raises(ValueError, match=f"`{next(iter(wrong))}`"):
        posterior.Langevin(**wrong)
