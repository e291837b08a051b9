"""Updates from the left, against closed forms of a linear map."""

import numpy as np
import pytest

SIZE = 6


@pytest.fixture(scope="module")
def script(load_script):
    return load_script("benchmarks/adjoint_broyden.py")


def test_update_is_that_of_the_paper(script, rng):
    """In B, and σᵀ B = σᵀ J afterwards."""
    jacobian, estimate = rng.normal(size=(2, SIZE, SIZE))
    direction = rng.normal(size=SIZE)
    expected = estimate + np.outer(
        direction, direction @ (jacobian - estimate)
    ) / (direction @ direction)
    found = script.adjoint_update(
        np.linalg.inv(estimate), direction, jacobian.T @ direction
    )
    np.testing.assert_allclose(np.linalg.inv(found), expected, atol=1e-9)
    np.testing.assert_allclose(
        direction @ np.linalg.inv(found), direction @ jacobian, atol=1e-9
    )


def test_a_full_set_of_directions_gives_the_inverse(script, rng):
    jacobian = rng.normal(size=(SIZE, SIZE)) / 4 - np.eye(SIZE)
    inverse = -np.eye(SIZE)
    for unit in np.eye(SIZE):
        inverse = script.adjoint_update(inverse, unit, jacobian.T @ unit)
    np.testing.assert_allclose(inverse, np.linalg.inv(jacobian), atol=1e-9)


@pytest.mark.parametrize("kind", ["random", "symmetric"])
def test_all_ways_come_to_the_exact_gradient(script, monkeypatch, kind):
    monkeypatch.setattr(script, "PRODUCTS", (0, 60))
    found = script.errors(kind, 0.7, SIZE, seed=0)
    for way in ("SHINE + steps", "SHINE + OPA", "Broyden", "phantom"):
        first, last = (error for _, error in found[way])
        assert last < 1e-6 < first
    (aware,), (blind,) = found["forward, OPA"], found["forward"]
    assert aware[0] >= blind[0] > 0


def test_prints_a_line_for_each_way(script, capsys):
    assert script.main("--size 8 --seeds 2 --radii 0.8".split()) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + 2 * 7


def test_nonsense_is_refused(script, capsys):
    with pytest.raises(SystemExit, match="2"):
        script.main(["--seeds", "0"])
    assert "--seeds must be at least 1" in capsys.readouterr().err
