"""Checks of arguments, with one form of error message.

Every message has the name of the argument, the expected value and the received
one. Every `check_` function returns the argument in its standard form, or
raises the `ValueError` that `invalid` makes.
"""

import inspect
import math
import numbers

__all__ = [
    "check_choice",
    "check_finite",
    "check_integer",
    "check_number",
    "check_options",
    "invalid",
]


def invalid(argument, expected, *received, found=None):
    """Make the error for an invalid argument, for the caller to raise.

    Args:
        argument: String, name of the argument.
        expected: String that continues "Expected", without a full stop.
        *received: The value itself, if it shows the problem.
        found: String that describes the problem instead of the value, if the
            value is too large to show or looks right by itself.

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
    """Refuse a value that is not one of the choices.

    Args:
        argument: String, name of the argument.
        value: The value received.
        choices: Iterable of the allowed values.

    Returns:
        The value.
    """
    choices = tuple(choices)
    # Not `in`, which takes 1 for True and fails for arrays.
    if not any(value is each or _equal(value, each) for each in choices):
        raise invalid(argument, f"one of {choices}", value)
    return value


def check_integer(argument, value, at_least=None):
    """Refuse a value that is not an integer or is too small.

    Args:
        argument: String, name of the argument.
        value: The value received. NumPy's integers are allowed, `True` is not.
        at_least: (Optional) the smallest value allowed.

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
    """Refuse a value that is not a finite real number within bounds.

    Args:
        argument: String, name of the argument.
        value: The value received. NumPy's numbers are allowed, `True` is not.
        above, at_least, below, at_most: (Optional) bounds. `above` and `below`
            exclude the bound itself.

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
    """Refuse keyword arguments that a function does not have.

    Args:
        what: String, the purpose of the options, such as "the format 'csv'".
        function: Callable that will get the options, or a list of those that
            share them. Their arguments `mask`, `trajectory`, `path` and
            `**options` are not options.
        options: Dictionary of the keyword arguments.
    """
    functions = function if isinstance(function, list) else [function]
    given = "mask", "trajectory", "path", "options"
    known = [
        name
        for each in functions
        for name in inspect.signature(each).parameters
        if name not in given
    ]
    unknown = sorted(options.keys() - set(known))
    if unknown:
        takes = ", ".join(f"`{name}`" for name in known) or "no options"
        raise invalid(
            unknown[0],
            f"nothing for {what}, which takes {takes}",
            found=", ".join(f"{name}={options[name]!r}" for name in unknown),
        )


def _is_finite(value):
    try:
        return math.isfinite(value)
    except OverflowError:  # An integer too large for a float.
        return False


def _equal(value, choice):
    return type(value) is type(choice) and value == choice


def check_finite(argument, array):
    """Refuse an array with NaN or infinite values.

    Args:
        argument: String, name of the argument.
        array: Floating-point array `(examples, ...)`.

    Returns:
        The array.

    Raises:
        ValueError: If a value is not finite. The message has the number of
            such examples and the indices of the first ones.
    """
    import numpy as np  # The command-line tool helps without it.

    # Two numbers tell, without an array of booleans as large.
    if not array.size or np.isfinite([array.min(), array.max()]).all():
        return array
    finite = np.isfinite(array).reshape(len(array), -1).all(axis=1)
    bad = np.flatnonzero(~finite)
    raise invalid(
        argument,
        "finite numbers",
        found=f"NaN or infinity in {len(bad)} of {len(array)} examples: "
        f"{bad[:10].tolist()}",
    )
