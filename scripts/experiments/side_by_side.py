"""Presets as a table, so that one sees what differs between them."""


def side_by_side(names, **settings):
    """Settings by the name of the preset.

    Args:
        names: Tuple of strings, the presets.
        **settings: For each setting a tuple of its values, one for each
            preset; or anything else, the value that all of them have.

    Returns:
        A dict of dicts.

    Example:

    >>> side_by_side(("paper", "smoke"), filters=(64, 4), slope=20.0)
    {'paper': {'filters': 64, 'slope': 20.0},
     'smoke': {'filters': 4, 'slope': 20.0}}
    """
    for name, values in settings.items():
        if not isinstance(values, tuple):
            settings[name] = (values,) * len(names)
    columns = zip(*settings.values(), strict=True)
    return {
        preset: dict(zip(settings, column))
        for preset, column in zip(names, columns, strict=True)
    }
