"""What `loupe-tf train` and `loupe-tf evaluate` simulate of a scanner."""

from loupe_tf.checks import check_number, invalid
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


def add_noise_options(add):
    """Add `--peak-snr` and `--snr`.

    Args:
        add: The method `add_argument` of a parser or of a group.
    """
    add(
        "--peak-snr",
        type=float,
        metavar="X",
        help="add receiver noise to k-space, the same in all slices: X is the "
        "brightest pixel of a volume over the standard deviation of the noise "
        "in the real or imaginary part, a ratio and not in dB. The studies of "
        "this package have 50, 100 or 200 (default: no noise)",
    )
    add(
        "--snr",
        type=float,
        metavar="DB",
        help="add noise in proportion to the power of each slice, which a "
        "scanner's is not: the mean power of all samples over that of the "
        "noise, in dB",
    )


def check_noise_options(options):
    """Refuse noise that cannot be.

    Args:
        options: Dict of the options by name.

    Raises:
        ValueError: If both ratios are given, or if one is out of range.
    """
    peak_snr, snr = options["peak_snr"], options["snr"]
    if peak_snr is not None and snr is not None:
        raise invalid(
            "peak_snr", "none beside --snr, the other ratio", peak_snr
        )
    if peak_snr is not None:
        check_number("peak_snr", peak_snr, above=0)
    if snr is not None:
        check_number("snr", snr)


def has_noise(options):
    """Return whether one of the ratios is given.

    Args:
        options: Dict of the options by name.
    """
    return options["peak_snr"] is not None or options["snr"] is not None


def describe(options):
    """Return what is simulated, as text.

    Args:
        options: Dict of the options by name.
    """
    coils, peak_snr, snr = (options[x] for x in ("coils", "peak_snr", "snr"))
    of_coils = "one coil"
    if coils is not None:
        of_coils = f"{coils} coil{'s' * (coils > 1)} around the image "
        of_coils += "(birdcage maps)"
    noise = "no noise"
    if snr is not None:
        noise = f"receiver noise, {snr:g} dB below the signal"
    if peak_snr is not None:
        noise = (
            "receiver noise, the same in all slices, peak SNR "
            f"{peak_snr:g} in each volume"
        )
    return f"{of_coils}, {noise}"
