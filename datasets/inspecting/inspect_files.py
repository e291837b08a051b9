"""Inspect files before a data set is built from them."""

import pathlib

from loupe_tf.checks import check_choice
from loupe_tf.datasets.building.readers import find_volumes, read_volume
from loupe_tf.datasets.inspecting.inspector import Inspector
from loupe_tf.formats.bad_volume import BadVolumeError


def inspect_files(
    path, include=None, exclude=None, slice_axis=None, on_bad_volume="skip"
):
    """Inspect a file, or the volumes of a folder.

    Args:
        path: Path of a volume, or of a folder of volumes.
        include: (Optional) patterns of paths in the folder, by default all.
        exclude: (Optional) patterns of paths to skip.
        slice_axis: (Optional) integer, the slice axis of NIfTI files and of
            DICOM series.
        on_bad_volume: String, `"skip"` leaves bad volumes out, `"stop"` raises
            the error of the first one.

    Returns:
        A pair: a list with an `Inspection` for each image size, the most
        frequent size first; and a list of dicts with each `"volume"` that
        could not be read and the `"reason"`.

    Raises:
        ValueError: If no volume can be read, or with `"stop"` if one cannot.
    """
    check_choice("on_bad_volume", on_bad_volume, ("skip", "stop"))
    path = pathlib.Path(path).expanduser()
    names = [path.name]
    if path.is_dir():
        names = find_volumes(path, include or "*", exclude)
    if not names:
        raise ValueError(
            "Invalid folder. Expected volumes (NIfTI, DICOM, HDF5, NumPy) that "
            f"`include` and `exclude` select; other files, such as MATLAB's, "
            f"have to be converted. Received: none in {path}"
        )
    inspectors, left_out = {}, []
    for name in names:
        file = path / name if path.is_dir() else path
        try:
            volume = read_volume(file, slice_axis)
        except BadVolumeError as error:
            if len(names) == 1 or on_bad_volume == "stop":
                raise
            left_out.append({"volume": name, "reason": error.reason})
            continue
        size = volume.images.shape[1:]
        inspector = inspectors.setdefault(size, Inspector())
        for image in volume.images:
            inspector.add(
                image,
                volume=name,
                patient=volume.patient,
                source=volume.source,
                phase_axis=volume.phase_axis,
            )
    if not inspectors:
        raise ValueError(
            "Invalid folder. Expected a volume that can be read. Received: "
            f"{left_out[0]['volume']}: {left_out[0]['reason']}"
        )
    found = [inspectors[size].result() for size in inspectors]
    found.sort(key=lambda i: -sum(v["slices"] for v in i.volumes))
    return found, left_out
