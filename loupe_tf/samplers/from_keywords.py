import inspect

from loupe_tf.checks import check_choice, invalid
from loupe_tf.samplers.given_mask import GivenMask
from loupe_tf.samplers.learned_mask import LearnedMask
from loupe_tf.samplers.mask_input import MaskInput
from loupe_tf.samplers.rows_and_columns import RowsAndColumns
from loupe_tf.samplers.sampler import Sampler

LINES = (None, "columns", "rows", "both")
# Defaults of the keywords that only some kinds of sampler have.
DEFAULTS = {"mask": None, "mask_input": False} | {
    parameter.name: parameter.default
    for parameter in inspect.signature(LearnedMask).parameters.values()
}


def from_keywords(
    mask=None, mask_input=False, lines=None, sampler=None, **keywords
):
    """Make the sampler that the keywords of `loupe_model` describe.

    Args:
        mask: `None`, or the mask of a `GivenMask`.
        mask_input: Boolean. Whether the sampler is a `MaskInput`.
        lines: `"both"` for `RowsAndColumns`, else the `lines` of a
            `LearnedMask`.
        sampler: (Optional) a `Sampler`, in place of all other keywords.
        **keywords: The other arguments of `LearnedMask`. Arguments that
            another kind of sampler does not have must keep their default or
            be `None`. The exception is `seed`, which a model uses for more
            than its mask.

    Returns:
        A `loupe_tf.samplers.Sampler`.

    Raises:
        ValueError: If an argument is invalid, or if that kind of sampler does
            not have it.

    Example:

    >>> loupe_tf.samplers.from_keywords(acceleration=4, lines="columns")
    <loupe_tf.samplers.learned_mask.LearnedMask object at ...>
    """
    check_choice("lines", lines, LINES)
    keywords = {"mask": mask, "lines": lines, **keywords}
    if sampler is not None:
        if not isinstance(sampler, Sampler):
            raise invalid("sampler", "a `loupe_tf.samplers.Sampler`", sampler)
        kind, reason = None, "a sampler"
        keywords["mask_input"] = mask_input
    elif mask_input:
        kind, reason = MaskInput, "mask_input=True, where no mask is given"
    elif mask is not None:
        kind, reason = GivenMask, "a mask that is given, not learned"
    elif lines == "both":
        kind, reason = RowsAndColumns, "lines='both'"
        del keywords["lines"]
    else:
        kind, reason = LearnedMask, "a mask that is learned"
    taken = {} if kind is None else inspect.signature(kind).parameters
    arguments = {}
    for name, value in keywords.items():
        if name in taken or (kind and name not in DEFAULTS):
            arguments[name] = value
        elif name != "seed" and value is not None and value is not False:
            if name not in DEFAULTS:
                raise invalid(name, "an argument of a sampler", value)
            default = DEFAULTS[name]
            if not isinstance(value, type(default)) or value != default:
                raise invalid(name, f"{default!r} with {reason}", value)
    return sampler if kind is None else kind(**arguments)
