"""The TFDS builder that the options of `loupe-tf build` ask for."""

import pathlib
import shlex

import tensorflow_datasets as tfds

from loupe_tf.checks import invalid
from loupe_tf.datasets import FastmriSlicesConfig, MriVolumesConfig
from loupe_tf.datasets.building.beam import import_beam
from loupe_tf.datasets.fastmri_slices import fastmri_slices_dataset_builder
from loupe_tf.datasets.mri_volumes import mri_volumes_dataset_builder
from loupe_tf.datasets.splits import SPLITS


def make_builder(options):
    """The builder, in the file format of what is already there.

    Args:
        options: `argparse.Namespace` of `loupe-tf build`.

    Raises:
        ValueError: If there is no such data set, if it has no such options, or
            if it is there in another file format.
    """
    name, _, config = options.name.partition("/")
    if name not in DATA_SETS:
        raise invalid(
            "name", f"the name of a data set, one of {sorted(DATA_SETS)}", name
        )
    make, own = DATA_SETS[name]
    for option in set().union(*(o for _, o in DATA_SETS.values())) - own:
        value = getattr(options, option)
        if value is not None:
            raise invalid(option, f"none, as {name} does not have it", value)
    cls, config = make(config, options)
    given = {
        "data_dir": options.data_dir,
        "config": config,
        "on_bad_volume": options.on_bad_volume,
    }
    # First in whatever format is there.
    builder = cls(**given)
    found = builder.info.file_format.value
    if not builder.is_prepared():
        return cls(**given, file_format=options.file_format)
    if found != options.file_format:
        raise invalid(
            "file_format",
            f"{found}, which is the format of what is already in "
            f"{builder.data_dir}, or another --data-dir",
            options.file_format,
        )
    return builder


def fastmri_slices(name, options):
    """The builder's class and its configuration."""
    configs = fastmri_slices_dataset_builder.Builder.builder_configs
    if name not in configs:
        known = ", ".join(f"fastmri_slices/{config}" for config in configs)
        raise invalid("name", f"one of {known}", f"fastmri_slices/{name}")
    given = given_options(options, ("size", "manifest", "seed"))
    if "size" in given:
        if len(given["size"]) > 1:
            raise invalid("size", "one number", given["size"])
        (given["size"],) = given["size"]
    config = FastmriSlicesConfig(name, **given)
    return fastmri_slices_dataset_builder.Builder, config


def mri_volumes(name, options):
    """The builder's class and its configuration."""
    if not options.source:
        raise invalid("source", "the folder of your volumes", options.source)
    given = given_options(options, OF_MRI_VOLUMES)
    if "size" in given:
        size = given["size"]
        if len(size) > 2 or min(size) < 1:
            raise invalid("size", "one or two positive integers", size)
        given["size"] = size[0] if len(size) == 1 else tuple(size)
    if "field_of_view" in given:
        view = given["field_of_view"]
        # Not `mm <= 0`, which is false for NaN.
        if len(view) > 2 or not all(0 < mm < float("inf") for mm in view):
            raise invalid(
                "field_of_view",
                "the option alone, or with two positive numbers H W in mm, or "
                "with one for both",
                view,
            )
        given["field_of_view"] = (*view, *view)[:2] or True
    if "crop_to_acquired" in given:
        lines = given["crop_to_acquired"]
        alone = options.field_of_view is not None
        if lines and (alone or len(lines) != 2 or min(lines) < 1):
            raise invalid(
                "crop_to_acquired",
                "the option alone, as with `field_of_view` a number of lines "
                "means another resolution in each volume"
                if alone
                else "the option alone, or with two positive numbers of lines",
                lines,
            )
        given["crop_to_acquired"] = tuple(lines) or True
    if "split" in given:
        given["split"] = parse_split(given["split"])
    config = MriVolumesConfig(options.source, name=name or None, **given)
    return mri_volumes_dataset_builder.Builder, config


def given_options(options, names):
    """Those of the options that were given, as a dict."""
    given = {name: getattr(options, name) for name in names}
    return {name: value for name, value in given.items() if value is not None}


OF_MRI_VOLUMES = {
    "split",
    "patient",
    "include",
    "exclude",
    "field_of_view",
    "size",
    "zero_fill",
    "crop_to_acquired",
    "slice_axis",
    "complex_images",
    "seed",
}
# Name: the function that makes its configuration, and the options that it takes
# beside those of all data sets.
DATA_SETS = {
    "fastmri_slices": (fastmri_slices, {"size", "manifest", "seed"}),
    "mri_volumes": (mri_volumes, OF_MRI_VOLUMES),
}


def parse_split(words):
    """Three shares, `SPLIT=PATIENT,...` or the path of a CSV file."""
    error = invalid(
        "split",
        "three shares that sum to 1, a CSV file, or train=PATIENT,... "
        "validation=PATIENT,... test=PATIENT,...",
        words,
    )
    if all("=" in word for word in words):
        pairs = [word.split("=", 1) for word in words]
        if not {split for split, _ in pairs} <= set(SPLITS):
            raise error
        return {split: patients.split(",") for split, patients in pairs}
    if len(words) == 1:
        return words[0]
    try:
        shares = [float(word) for word in words]
    except ValueError:
        raise error from None
    if len(shares) != 3 or min(shares) < 0 or abs(sum(shares) - 1) > 1e-6:
        raise error
    return shares


def download_config(options):
    """What `download_and_prepare` takes.

    Args:
        options: `argparse.Namespace` of `loupe-tf build`.
    """
    modes = tfds.download.GenerateMode
    overwrite, reuse = (
        modes.REUSE_CACHE_IF_EXISTS,
        modes.REUSE_DATASET_IF_EXISTS,
    )
    config = tfds.download.DownloadConfig(
        download_mode=overwrite if options.overwrite else reuse,
        beam_runner=options.beam_runner,
    )
    if options.source:
        source = pathlib.Path(options.source).expanduser()
        config = config.replace(manual_dir=source)
    if options.beam_options:
        if not options.beam_runner:
            raise invalid(
                "beam_options",
                "a --beam-runner with them",
                options.beam_options,
            )
        config = config.replace(beam_options=beam_options(options.beam_options))
    return config


def beam_options(text):
    """Options of Beam's runner, from one string."""
    import_beam()
    from apache_beam.options.pipeline_options import PipelineOptions

    return PipelineOptions(shlex.split(text))
