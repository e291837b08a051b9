"""Presets as a table, which shows how they differ."""


def side_by_side(names, **settings):
    """Return the settings of each preset, by its name.

    Args:
        names: Tuple of strings, the presets.
        **settings: For each setting, a tuple with one value per preset, or
            any other object as the value for all presets.

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
