"""Apache Beam, which is an optional requirement."""


def import_beam():
    """Import Apache Beam.

    Returns:
        The module `apache_beam`.

    Raises:
        ImportError: If it is not installed, with the command that installs it.
    """
    try:
        import apache_beam
    except ImportError as error:
        raise ImportError(
            "Building on Beam requires apache-beam. Install it with: "
            'pip install "loupe-tf[beam]"'
        ) from error
    return apache_beam
