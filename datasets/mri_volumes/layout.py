"""List the volumes of a folder and plan how to bring them to one size."""

import dataclasses
import pathlib
import re
import warnings

import numpy as np

from loupe_tf.checks import invalid
from loupe_tf.datasets import voxel_size
from loupe_tf.datasets.building.readers import (
    check_complex,
    find_volumes,
    read_header,
    read_volume,
)
from loupe_tf.datasets.inspecting.inspector import Inspector
from loupe_tf.datasets.mri_volumes.geometry import (
    Resizing,
    common_field_of_view,
    plan,
)
from loupe_tf.datasets.mri_volumes.patient_split import (
    split_of_patients,
    without_suffix,
)
from loupe_tf.datasets.voxel_size import common_voxel_size
from loupe_tf.formats.bad_volume import BadVolumeError


@dataclasses.dataclass(frozen=True)
class FolderVolume:
    """A volume of the folder; its `str` is its name in the folder."""

    path: pathlib.Path
    name: str
    patient: str
    spacing: np.ndarray
    resizing: Resizing
    phase_axis: str = ""

    def __str__(self):
        return self.name

    @property
    def description(self):
        """Its size and processing, as a dictionary for JSON."""
        *_, size = [self.resizing.size, *(n for _, n in self.resizing.steps)]
        after = self.resizing.voxel_size(self.spacing)
        return {
            "size_in_file": list(self.resizing.size),
            "voxel_size_in_file": [round(float(s), 5) for s in self.spacing],
            "steps": [[space, list(n)] for space, n in self.resizing.steps],
            "size": list(size),
            "voxel_size": [round(float(s), 5) for s in after],
        }


@dataclasses.dataclass(frozen=True)
class Layout:
    """The volumes of a folder, by split.

    Args:
        splits: Dictionary by split of lists of `FolderVolume`.
        size: Tuple `(H, W)`, the matrix of all images.
        bad: List of the `BadVolumeError` of skipped volumes.
    """

    splits: dict
    size: tuple
    bad: list


def layout_of(config):
    """Return the layout of the folder of a `MriVolumesConfig`.

    It is read once and only from headers, unless `crop_to_acquired` looks for
    the extent in the images.

    Args:
        config: A `MriVolumesConfig`, which stores the result.

    Returns:
        A `Layout`.

    Raises:
        BadVolumeError: If no volume is good.
        ValueError: If there is no volume, or if the volumes do not fit the
            settings.
    """
    if config.layout is None:
        config.layout = _read_layout(config)
    return config.layout


def _read_layout(config):
    names = find_volumes(config.folder, config.include, config.exclude)
    if not names:
        raise invalid(
            "folder",
            "a folder with volumes (NIfTI, DICOM, HDF5, NumPy) that `include` "
            "and `exclude` select",
            found=f"include={config.include!r}, exclude={config.exclude!r}: "
            f"none in {config.folder}",
        )
    headers, bad = _read_headers(config, names)
    if not headers:
        raise bad[0]
    _check_names(headers)

    patients = {name: h.patient or name for name, h in headers.items()}
    # A CSV file may name patients that are not in the files.
    splits = split_of_patients(patients, config.split, config.seed)
    taken = [name for each in splits.values() for name in each]
    dropped = [name for name in taken if headers[name].is_complex]
    if dropped and not config.complex_images:
        _tell_of_phases(dropped)
    sizes = {name: tuple(headers[name].shape[1:]) for name in taken}
    spacings = {name: headers[name].spacing for name in taken}
    size, resizings = _plan(config, sizes, spacings)
    volumes = {
        name: FolderVolume(
            path=config.folder / name,
            name=name,
            patient="" if patients[name] == name else patients[name],
            spacing=spacings[name],
            resizing=resizings[name],
            phase_axis=headers[name].phase_axis,
        )
        for name in taken
    }
    splits = {k: [volumes[name] for name in each] for k, each in splits.items()}
    return Layout(splits=splits, size=tuple(size), bad=bad)


def _read_headers(config, names):
    """A `Header` by name, and a list of the errors of bad volumes."""
    headers, bad = {}, []
    for name in names:
        try:
            header = read_header(config.folder / name, config.slice_axis)
            if config.complex_images:
                check_complex(name, header)
            spacing = voxel_size.standardize(header.spacing)
            if config.field_of_view and not spacing[1:].all():
                raise BadVolumeError(
                    name,
                    "Expected a file with a voxel size, for `field_of_view`. "
                    "Received: none.",
                )
        except BadVolumeError as error:
            bad.append(BadVolumeError(name, error.reason))
            continue
        patient = header.patient
        if config.patient is not None:
            match = re.search(config.patient, name)
            if match is None or not match[1]:
                raise invalid(
                    "patient",
                    "a pattern that matches each volume",
                    found=f"patient={config.patient!r}, which does not match "
                    f"{name}",
                )
            patient = match[1]
        headers[name] = header._replace(patient=patient, spacing=spacing)
    return headers, bad


def _plan(config, sizes, spacings):
    """The matrix of all images, and a `Resizing` by name."""
    if config.field_of_view:
        extents = sizes
        if config.crop_to_acquired:
            extents = {
                name: _find_extent([name], config) or size
                for name, size in sizes.items()
            }
        view = config.field_of_view
        if view is True:
            view = common_field_of_view(
                list(sizes.values()), list(spacings.values())
            )
        return plan(
            sizes, spacings, extents, view, config.size, config.zero_fill
        )
    steps = []
    if config.crop_to_acquired or config.size is None:
        size = _one_size(sizes)
        if config.crop_to_acquired is True:
            extent = _find_extent(sizes, config) or size
            steps.append(("acquired_extent", extent))
        elif config.crop_to_acquired:
            extent = config.crop_to_acquired
            if extent[0] > size[0] or extent[1] > size[1]:
                raise invalid(
                    "crop_to_acquired",
                    f"at most the size of the images, {size}",
                    extent,
                )
            steps.append(("acquired_extent", extent))
    size = config.size or (steps[-1][1] if steps else size)
    steps.append(("image", size))
    _check_mixed(sizes, spacings, config.size)
    return size, {
        name: Resizing(old, tuple(steps)) for name, old in sizes.items()
    }


def _check_mixed(sizes, spacings, size):
    """Warn of mixed voxel sizes; reject a crop of images that have them."""
    known = {
        name: spacing for name, spacing in spacings.items() if spacing[1:].all()
    }
    if not known or None not in common_voxel_size(list(known.values()))[1:]:
        return
    groups = {}
    for name, spacing in known.items():
        key = *sizes[name], *(round(float(s), 3) for s in spacing[1:])
        groups.setdefault(key, []).append(name)
    found = "; ".join(
        f"{h}×{w} of {y:g}×{x:g} mm ({len(each)} volumes, such as {each[0]})"
        for (h, w, y, x), each in sorted(groups.items())
    )
    advice = (
        "`field_of_view=True` (--field-of-view) brings all volumes to one "
        "field of view and one voxel size"
    )
    if size and any(new < n for s in sizes.values() for new, n in zip(size, s)):
        raise invalid(
            "size",
            "volumes of one voxel size, because a crop cuts off more where "
            f"pixels are small; {advice}",
            found=found,
        )
    warnings.warn(f"Voxel sizes are mixed: {found}. {advice}.", stacklevel=2)


def _tell_of_phases(names):
    """Warn once that the phase of complex images is dropped."""
    count = len(names)
    warnings.warn(
        f"{count} volume{'s have' if count > 1 else ' has'} complex images "
        f"({'such as ' if count > 1 else ''}{names[0]}), whose phase is "
        "dropped. Keep it with complex_images=True (--complex).",
        stacklevel=2,
    )


def _check_names(names):
    seen = {}
    for name in names:
        short = without_suffix(name)
        if short in seen:
            raise invalid(
                "folder",
                "volumes whose names differ in more than their suffixes; skip "
                "some with `exclude`",
                found=f"{seen[short]} and {name}",
            )
        seen[short] = name


def _one_size(sizes):
    found = {}
    for name, size in sizes.items():
        found.setdefault(tuple(size), []).append(name)
    if len(found) > 1:
        several = ", ".join(
            f"{h}×{w} ({len(each)} volumes, such as {each[0]})"
            for (h, w), each in sorted(found.items())
        )
        raise ValueError(
            "Invalid sizes of the images. Expected one size: give a "
            "`field_of_view` (--field-of-view), select volumes with `include` "
            "and `exclude`, or give a `size` (without `crop_to_acquired`). "
            f"Received: {several}"
        )
    return next(iter(found))


def _find_extent(names, config):
    """The acquired extent of some volumes, `None` if none can be read."""
    inspector, found = Inspector(), False
    for name in names:
        try:
            images = read_volume(
                config.folder / name, config.slice_axis, config.complex_images
            ).images
        except BadVolumeError:
            continue  # The build reports it later.
        found = True
        for image in images:
            inspector.add(image, volume=name)
    return inspector.result().extent if found else None
