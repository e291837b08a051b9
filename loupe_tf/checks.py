"""The one way to refuse an argument: its name, what was expected, what came.

Every function here either returns the argument in its standard form, or raises
the `ValueError` that `invalid` makes.
"""

import inspect
import math
import numbers

__all__ = [
    "check_choice",
    "check_integer",
    "check_number",
    "check_options",
    "invalid",
]


def invalid(argument, expected, *received, found=None):
    """Make the error of an argument, for the caller to raise.

    Args:
        argument: String, name of the argument.
        expected: String that goes on from "Expected", without a full stop.
        *received: The value itself, if it says what is wrong with it.
        found: String in place of the value: what is wrong with it, where it is
            too large to be shown or looks right by itself.

    Returns:
        A `ValueError`.

    Example:

    >>> raise invalid("slope", "a positive number", -1)
    Traceback (most recent call last):
        ...
    ValueError: Invalid value for argument `slope`. Expected a positive number.
    Received: slope=-1
    >>> raise invalid("kspace", "finite samples", found="NaN in slice 3")
    Traceback (most recent call last):
        ...
    ValueError: Invalid value for argument `kspace`. Expected finite samples.
    Received: NaN in slice 3
    """
    if found is None:
        (value,) = received
        found = f"{argument}={value!r}"
    return ValueError(
        f"Invalid value for argument `{argument}`. Expected {expected}. "
        f"Received: {found}"
    )


def check_choice(argument, value, choices):
    """Refuse what is none of the choices.

    Args:
        argument: String, name of the argument.
        value: What was given for it.
        choices: Iterable of the values it may have.

    Returns:
        The value.
    """
    choices = tuple(choices)
    # Not `in`, which is true of 1 and True and which arrays do not answer.
    if not any(value is each or _equal(value, each) for each in choices):
        raise invalid(argument, f"one of {choices}", value)
    return value


def check_integer(argument, value, at_least=None):
    """Refuse what is not an integer, or too small; `True` is no integer.

    Args:
        argument: String, name of the argument.
        value: What was given for it; those of NumPy are taken.
        at_least: (Optional) the smallest that is allowed.

    Returns:
        An `int`.
    """
    is_integer = isinstance(value, numbers.Integral)
    too_small = is_integer and at_least is not None and value < at_least
    if not is_integer or isinstance(value, bool) or too_small:
        expected = "an integer"
        if at_least is not None:
            expected += f" of at least {at_least}"
        raise invalid(argument, expected, value)
    return int(value)


def check_number(
    argument, value, above=None, at_least=None, below=None, at_most=None
):
    """Refuse what is not a finite real number within bounds.

    Args:
        argument: String, name of the argument.
        value: What was given for it; NumPy's numbers are taken, `True` is not.
        above, at_least, below, at_most: (Optional) bounds, the first and the
            third excluded.

    Returns:
        A `float`.
    """
    bounds = [
        (above, "above", lambda: value > above),
        (at_least, "of at least", lambda: value >= at_least),
        (below, "below", lambda: value < below),
        (at_most, "of at most", lambda: value <= at_most),
    ]
    bounds = [each for each in bounds if each[0] is not None]
    is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if (
        not is_number
        or not _is_finite(value)
        or not all(holds() for *_, holds in bounds)
    ):
        words = [f"{word} {bound}" for bound, word, _ in bounds]
        expected = " ".join(["a finite number", " and ".join(words)]).strip()
        raise invalid(argument, expected, value)
    return float(value)


def check_options(what, function, options):
    """Refuse keyword arguments that a function does not take.

    Args:
        what: String, what they are for: "the format 'csv'".
        function: Callable that they are handed on to; its `mask` and `path`
            are no options.
        options: Dictionary of the keyword arguments.
    """
    known = [f"`{name}`" for name in inspect.signature(function).parameters]
    known = [name for name in known if name not in ("`mask`", "`path`")]
    unknown = sorted({f"`{name}`" for name in options} - set(known))
    if unknown:
        raise invalid(
            "options",
            f"for {what} {', '.join(known) or 'none'}",
            found=", ".join(unknown),
        )


def _is_finite(value):
    try:
        return math.isfinite(value)
    except OverflowError:  # An integer that no float can hold.
        return False


def _equal(value, choice):
    return type(value) is type(choice) and value == choice
