"""Fenced blocks of code, on a page or in a docstring."""

import re


def blocks(text, *languages):
    """Yield `(line, code)` of the fenced blocks; the first line is 1."""
    for match in re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.M | re.S):
        if match[1] in languages:
            yield text.count("\n", 0, match.start(2)) + 1, match[2]
