"""What `loupe-tf train` and `loupe-tf evaluate` simulate of a scanner."""

from loupe_tf.cli.phase import is_complex

# Angles of coils and noise have random numbers of their own, apart from those
# of the phases, `[seed, number of the split]`.
ANGLE, NOISE = 1, 2


def phase_for(coils, phase, data):
    """Return the phase that the images get.

    A receive coil adds a phase of its own, and the image has one too: with
    coils, magnitude images get a phase of 1 by default.

    Args:
        coils: Integer, or `None` for one uniform coil.
        phase: Float in radians, or `None` if none was given.
        data: Dictionary of `loupe_tf.datasets.Slices` by split.

    Returns:
        Float or `None`, as for `loupe_tf.cli.phase.images_of`.
    """
    if coils is None or phase is not None:
        return phase
    return 0.0 if any(map(is_complex, data.values())) else 1.0


def describe(coils, snr):
    """Return what is simulated, as text.

    Args:
        coils: Integer, or `None` for one uniform coil.
        snr: Float in dB, or `None` for no noise.
    """
    of_coils = "one coil"
    if coils is not None:
        of_coils = f"{coils} coil{'s' * (coils > 1)} around the image "
        of_coils += "(birdcage maps)"
    noise = "no noise"
    if snr is not None:
        noise = f"receiver noise, {snr:g} dB below the signal"
    return f"{of_coils}, {noise}"
