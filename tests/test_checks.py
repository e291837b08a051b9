import numpy as np
import pytest

from loupe_tf.checks import (
    check_choice,
    check_integer,
    check_number,
    check_options,
    invalid,
)


def test_an_error_names_argument_expectation_and_value():
    error = invalid("slope", "a positive number", "steep")
    assert isinstance(error, ValueError)
    assert str(error) == (
        "Invalid value for argument `slope`. Expected a positive number. "
        "Received: slope='steep'"
    )
    assert str(invalid("mask", "lines", found="points")).endswith(
        "Expected lines. Received: points"
    )


def test_choices():
    assert check_choice("lines", None, (None, "rows")) is None
    assert check_choice("lines", "rows", (None, "rows")) == "rows"
    for bad in ("columns", 0, True, np.zeros((2, 2))):
        with pytest.raises(ValueError, match="`lines`.* one of"):
            check_choice("lines", bad, (None, "rows", 1))


def test_integers():
    assert check_integer("n", np.int64(3)) == 3
    assert type(check_integer("n", np.int64(3), at_least=3)) is int
    for bad in (2, 3.0, True, "3", None, float("nan")):
        with pytest.raises(ValueError, match="an integer of at least 3"):
            check_integer("n", bad, at_least=3)


@pytest.mark.parametrize(
    "bounds, good, bad",
    [
        ({}, [0, -1.5, np.float32(2)], ["1", None, True, 1j]),
        ({}, [], [float("inf"), -float("inf"), float("nan")]),
        ({"above": 0}, [1e-9], [0, -1]),
        ({"at_least": 0}, [0], [-1e-9]),
        ({"above": 0, "below": 1}, [0.5], [0, 1]),
        ({"above": 0, "at_most": 1}, [0.5, 1], [0, 1.5]),
    ],
)
def test_numbers(bounds, good, bad):
    for value in good:
        assert check_number("x", value, **bounds) == value
    for value in bad:
        with pytest.raises(ValueError, match="`x`.*a finite number"):
            check_number("x", value, **bounds)


def test_a_bound_is_in_the_message():
    with pytest.raises(ValueError, match="above 0 and below 1. Received: x=1"):
        check_number("x", 1, above=0, below=1)


def test_an_integer_that_no_float_can_hold():
    with pytest.raises(ValueError, match="`x`. Expected a finite number"):
        check_number("x", 10**400)


def test_options():
    def save(mask, path, order="linear"):
        """Takes one option."""

    check_options("the format 'csv'", save, {"order": "smooth"})
    with pytest.raises(ValueError, match="`te`. .*csv', which takes `order`"):
        check_options("the format 'csv'", save, {"te": 3})
    with pytest.raises(ValueError, match="Received: path='mask.csv'"):
        check_options("the format 'csv'", save, {"path": "mask.csv"})
