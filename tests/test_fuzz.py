"""Damaged and hostile files: a small one of every format, mutated.

Whatever is done to a file, reading it gives the right value or a `ValueError`
or `OSError` that names it. Another value is accepted in `loose` formats alone,
and only of what `kept` leaves out: neither a checksum nor a size covers it.

    python -m pytest tests/test_fuzz.py -m slow -s     prints the table
"""

import collections
import contextlib
import dataclasses
import functools
import gzip
import hashlib
import io
import multiprocessing
import pathlib
import re
import resource
import runpy
import shutil
import struct
import sys
import tempfile
import time
import warnings
import zipfile
import zlib
from collections.abc import Callable

import numpy as np
import pytest

CHILD = "fuzz_child"  # What the process calls this file.
SECONDS = 60  # For one mutation, on a busy machine.
# Beyond what Python and TensorFlow have taken. A length in DICOM may ask for 4
# GiB, which Python reserves and does not touch.
MEMORY = 6 * 2**30
SHAPE = (8, 12)


@dataclasses.dataclass
class Format:
    """How a small file is written and read, and what protects it."""

    write: Callable  # Writes files into a folder.
    read: Callable  # Reads them from there.
    # The part of a value that a checksum or a size covers: all of it.
    kept: Callable = lambda value: value
    loose: str = ""  # Why another value is accepted.
    # To mutate below a checksum or a compression, which is made anew.
    unpack: Callable = lambda content: {"": content}
    pack: Callable = lambda contents: contents[""]


# Formats.


def nothing(value):
    return None


def array_alone(mask):
    return mask["array"]


def lines():
    from loupe_tf.masks import random_lines

    mask = random_lines(SHAPE, 3, 2, seed=1)
    return mask.replace(slope=20, field_of_view=(200, 240.5), matrix=SHAPE)


def points():
    from loupe_tf.masks import gaussian

    return gaussian(SHAPE, 3, 2, seed=1).replace(field_of_view=(200, 240.5))


def mask(name, make=points, format=None, **options):
    from loupe_tf.formats import load_mask, save_mask

    # Dummy scans make a file too large for the limit of these tests.
    few = {"dummy_scans": 1} if name.endswith(".seq") else {}
    if few and not make().lines:
        few["readout"] = (4, 250)
    return Format(
        lambda folder: save_mask(make(), folder / name, format, **few),
        lambda folder: load_mask(folder / name, format),
        **options,
    )


def curves(name, **options):
    from loupe_tf.trajectories import Trajectory, spiral

    sizes = {"matrix": SHAPE, "field_of_view": (200, 240.5), "dwell": 1e-5}
    made = spiral(2, 20, turns=2, **sizes)

    def read(folder):
        found = Trajectory.load(folder / name)
        return found.positions, found.metadata

    return Format(lambda folder: made.save(folder / name), read, **options)


def samples(name, write):
    from loupe_tf.formats import load_samples
    from loupe_tf.trajectories import spiral

    sizes = {"matrix": SHAPE, "field_of_view": (200, 240.5)}
    made = spiral(3, 8, turns=2, **sizes)
    given = () if name.endswith(".mrd") else (made,)

    def read(folder):
        with load_samples(folder / name, *given) as volume:
            slices = [volume[i] for i in range(len(volume))]
        return slices, volume.trajectory.positions, volume.slice_spacing

    return Format(
        lambda folder: write(folder / name, made),
        read,
        nothing,
        "samples without a checksum",
    )


def kspace_of(shape):
    rng = np.random.default_rng(0)
    parts = rng.normal(size=(2, *shape)).astype("float32")
    return (parts[0] + 1j * parts[1]).astype("complex64")


def kspace(name, write, **options):
    from loupe_tf.formats import load_kspace

    def read(folder):
        with load_kspace(folder / name, **options) as volume:
            slices = [volume[i] for i in range(len(volume))]
        return slices, volume.field_of_view, volume.slice_spacing

    return Format(
        lambda folder: write(folder / name),
        read,
        nothing,
        "samples without a checksum",
    )


def write_fastmri(path):
    from loupe_tf.datasets import write_fastmri_volume

    write_fastmri_volume(path, slices=2, size=(16, 20), recon_size=(16, 16))


def write_measurement(path):
    """ISMRM raw data, of the acquisitions of a mask."""
    import h5py

    from loupe_tf.formats import save_mask

    save_mask(lines(), path)
    with h5py.File(path, "a") as file:
        del file.attrs["loupe_tf_mask"]
        data = file["dataset/data"][:]
        for i, samples in enumerate(kspace_of((len(data), SHAPE[0]))):
            data["data"][i] = samples.view("float32")
        file["dataset/data"][:] = data


def write_spirals(path, trajectory):
    """ISMRM raw data, of the acquisitions of a trajectory."""
    import h5py

    trajectory.save(path)
    with h5py.File(path, "a") as file:
        data = file["dataset/data"][:]
        for i, values in enumerate(kspace_of((len(data), 8))):
            data["data"][i] = values.view("float32")
        file["dataset/data"][:] = data


def write_samples_cfl(path, trajectory):
    from loupe_tf.formats import write_cfl

    write_cfl(path, kspace_of((1, trajectory.samples, trajectory.shots, 2)))


def write_cfl(path):
    from loupe_tf.formats import write_cfl

    write_cfl(path, kspace_of((*SHAPE, 1, 2)))


def write_coils_mat(path):
    import h5py

    pairs = kspace_of((3, *SHAPE)).view([("real", "f4"), ("imag", "f4")])
    with h5py.File(path, "w", userblock_size=512) as file:
        file["raw"] = pairs


def coils(name, write, **options):
    from loupe_tf.formats import load_coils

    return Format(
        lambda folder: write(folder / name),
        lambda folder: load_coils(folder / name, **options),
        nothing,
        "samples without a checksum",
    )


def volume(name, write, loose="samples without a checksum", **options):
    from loupe_tf.datasets.building.readers import read_volume

    return Format(
        lambda folder: write(folder / name),
        lambda folder: read_volume(folder / name),
        nothing if loose else lambda value: value,
        loose,
        **options,
    )


def images():
    rng = np.random.default_rng(0)
    return rng.uniform(1, 1000, size=(3, 8, 7)).astype("int16")


def write_nifti(path):
    import nibabel

    array = images().transpose(1, 2, 0)
    affine = np.diag([0.5, 0.7, 4, 1])
    nibabel.save(nibabel.Nifti1Image(array, affine), path)


def dicom():
    import pydicom

    d = pydicom.Dataset()
    d.file_meta = pydicom.dataset.FileMetaDataset()
    d.file_meta.MediaStorageSOPClassUID = pydicom.uid.MRImageStorage
    d.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    d.SOPClassUID = pydicom.uid.MRImageStorage
    d.SeriesInstanceUID, d.PatientID, d.Modality = "1.2.3", "P7", "MR"
    d.Rows, d.Columns = images().shape[1:]
    d.SamplesPerPixel, d.PhotometricInterpretation = 1, "MONOCHROME2"
    d.BitsAllocated, d.BitsStored, d.HighBit = 16, 12, 11
    d.PixelRepresentation = 0
    return d


def write_dicom(folder):
    folder.mkdir()
    for i, pixels in enumerate(images()):
        d = dicom()
        d.SOPInstanceUID = d.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{i}"
        d.InstanceNumber = i + 1
        d.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        d.ImagePositionPatient = [0, 0, 3 * i]
        d.PixelSpacing, d.SliceThickness = [0.5, 0.7], 3
        d.RescaleSlope, d.RescaleIntercept = 2 + i, 1
        d.PixelData = pixels.tobytes()
        d.save_as(folder / f"{i}.dcm", enforce_file_format=True)


def write_dicom_frames(folder):
    import pydicom

    folder.mkdir()
    d = dicom()
    d.SOPClassUID = pydicom.uid.EnhancedMRImageStorage
    d.file_meta.MediaStorageSOPClassUID = d.SOPClassUID
    d.SOPInstanceUID = d.file_meta.MediaStorageSOPInstanceUID = "1.2.3.9"
    d.NumberOfFrames = len(images())

    def group(**values):
        item = pydicom.Dataset()
        for name, value in values.items():
            setattr(item, name, value)
        return [item]

    d.SharedFunctionalGroupsSequence = group(
        PixelMeasuresSequence=group(PixelSpacing=[0.5, 0.7], SliceThickness=3),
        PlaneOrientationSequence=group(
            ImageOrientationPatient=[1, 0, 0, 0, 1, 0]
        ),
    )
    d.PerFrameFunctionalGroupsSequence = [
        group(
            PlanePositionSequence=group(ImagePositionPatient=[0, 0, 3 * i]),
            PixelValueTransformationSequence=group(
                RescaleSlope=2 + i, RescaleIntercept=1, RescaleType="US"
            ),
        )[0]
        for i in range(len(images()))
    ]
    d.PixelData = images().tobytes()
    d.save_as(folder / "frames.dcm", enforce_file_format=True)


def arrays(name, write, loose=""):
    from loupe_tf.datasets import load_volumes

    return Format(
        lambda folder: write(folder / name),
        lambda folder: load_volumes(folder / name),
        nothing if loose else lambda value: value,
        loose,
    )


def write_npz(path):
    np.savez_compressed(path, a=images().astype("f4"), b=np.ones((2, 8, 7)))


def write_data_set(folder, file_format="tfrecord"):
    import tensorflow_datasets as tfds

    features = {
        "image": tfds.features.Tensor(
            shape=(None, None, 1), dtype=np.float32, encoding="bytes"
        ),
        "volume": tfds.features.Text(),
    }
    records = [
        (i, {"image": image[..., None].astype("f4"), "volume": f"volume{i}"})
        for i, image in enumerate(images())
    ]
    tfds.dataset_builders.store_as_tfds_dataset(
        name="volumes",
        version="1.0.0",
        data_dir=folder,
        features=tfds.features.FeaturesDict(features),
        split_datasets={"train": records},
        file_format=file_format,
    )


def records(read, file_format="tfrecord"):
    """The shard of a data set; its metadata are a format of their own."""
    return Format(lambda folder: write_data_set(folder, file_format), read)


def read_arrays(folder):
    from loupe_tf.datasets import load_arrays

    return load_arrays("volumes", "train", folder)


def read_pipeline(folder):
    from loupe_tf.datasets import pipeline

    batches = pipeline(
        "volumes", "train", 1, shuffle=False, data_dir=folder, cache=False
    )
    return [np.asarray(x) for x, _ in batches]


def write_model(folder):
    import loupe_tf

    model = loupe_tf.models.loupe_model(
        (8, 8, 1), acceleration=2, filters=2, depth=1
    )
    model.save(folder / "model.keras")


def read_model(folder):
    from loupe_tf.reconstruction.network import load_model

    model = load_model(folder / "model.keras")
    return model.get_config(), model.get_weights()


def two_rounds(folder):
    """Train in two rounds, or find in the folder that this was done."""
    import keras

    from loupe_tf.callbacks import fit_two_rounds

    keras.utils.set_random_seed(0)
    # The folder knows the model by its name.
    model = keras.Sequential(
        [keras.Input((2,)), keras.layers.Dense(2)], name="fuzz"
    )
    model.compile("adam", "mse")
    x = np.ones((4, 2), "float32")
    history = fit_two_rounds(
        model,
        x,
        x,
        epochs=1,
        slope_callback=False,
        directory=folder,
        verbose=0,
    )
    return history.history, model.get_weights()


def settings(folder):
    from loupe_tf.run_folder import RunFolder

    folder = RunFolder(folder)
    folder.check_settings({"acceleration": 4.0, "seed": 0, "data": "brain"})
    return folder.records()


def write_settings(folder):
    from loupe_tf.run_folder import RunFolder

    settings(folder)
    RunFolder(folder / "runs").write_json("a.json", {"psnr": 31.5})


def unzip(content):
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        return {name: file.read(name) for name in file.namelist()}


def rezip(contents):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in contents.items():
            file.writestr(name, content)
    return stream.getvalue()


def unsign(content):
    return {"": content.partition(b"\n[SIGNATURE]\n")[0]}


def sign(contents):
    digest = hashlib.md5(contents[""]).hexdigest()
    text = f"\n[SIGNATURE]\n\nType md5\nHash {digest}\n"
    return contents[""] + text.encode()


def unrecord(content):
    """The records of a TFRecord file."""
    found, place = {}, 0
    while place < len(content):
        (length,) = struct.unpack("<Q", content[place : place + 8])
        found[str(place)] = content[place + 12 : place + 12 + length]
        place += 16 + length
    return found


def record(contents):
    import tensorflow as tf

    with tempfile.NamedTemporaryFile() as file:
        with tf.io.TFRecordWriter(file.name) as writer:
            for content in contents.values():
                writer.write(content)
        return pathlib.Path(file.name).read_bytes()


ZIP = {"unpack": unzip, "pack": rezip}
SEQ = {"unpack": unsign, "pack": sign}
GZIP = {
    "unpack": lambda content: {"": gzip.decompress(content)},
    "pack": lambda contents: gzip.compress(contents[""]),
}
METADATA = "metadata without a checksum"
NUMBERS = "numbers without a checksum"


@functools.cache
def formats():
    """The table, by name."""
    loose = {"kept": array_alone, "loose": METADATA}
    return {
        "mask npz": mask("mask.npz"),
        "mask npz, repacked": mask("mask.npz", **loose, **ZIP),
        "mask npy": mask("mask.npy", kept=nothing, loose=NUMBERS),
        "mask json": mask("mask.json", **loose),
        "mask json, lines": mask("mask.json", lines, **loose),
        "mask csv": mask("mask.csv", **loose),
        "mask csv, lines": mask("mask.csv", lines, **loose),
        "mask cfl": mask("mask.cfl", **loose),
        "mask fastMRI": mask("mask.h5", lines, **loose),
        "mask mrd": mask("mask.mrd", **loose),
        "mask mrd, lines": mask("mask.mrd", lines, **loose),
        "mask seq": mask("mask.seq", lines),
        "mask seq, points": mask("mask.seq"),
        "mask seq, points, signed": mask(
            "mask.seq", kept=nothing, loose=NUMBERS, **SEQ
        ),
        "mask seq, signed": mask(
            "mask.seq", lines, kept=nothing, loose=NUMBERS, **SEQ
        ),
        "trajectory npz": curves("t.npz"),
        "trajectory npz, repacked": curves(
            "t.npz", kept=nothing, loose=NUMBERS, **ZIP
        ),
        **{
            f"trajectory {suffix}": curves(
                f"t.{suffix}", kept=nothing, loose=NUMBERS
            )
            for suffix in ("csv", "cfl", "mrd", "bin")
        },
        "kspace npy": kspace(
            "k.npy",
            lambda path: np.save(path, kspace_of((3, *SHAPE))),
            leading="slices",
        ),
        "samples mrd": samples("s.mrd", write_spirals),
        "samples cfl": samples("s.cfl", write_samples_cfl),
        "kspace cfl": kspace("k.cfl", write_cfl),
        "kspace fastMRI": kspace("k.h5", write_fastmri),
        "kspace mrd": kspace("k.mrd", write_measurement),
        "coils npy": coils(
            "c.npy", lambda path: np.save(path, kspace_of((3, *SHAPE)))
        ),
        "coils mat": coils("c.mat", write_coils_mat, key="raw"),
        "volume nii": volume("a.nii", write_nifti),
        "volume nii.gz": volume("a.nii.gz", write_nifti, loose=""),
        "volume nii.gz, repacked": volume("a.nii.gz", write_nifti, **GZIP),
        "volume DICOM": volume("a", write_dicom),
        "volume DICOM frames": volume("a", write_dicom_frames),
        "volume h5": volume("a.h5", write_fastmri),
        "volume npy": volume(
            "a.npy", lambda path: np.save(path, images().astype("f4"))
        ),
        "arrays npy": arrays(
            "a.npy", lambda path: np.save(path, images().astype("f4")), NUMBERS
        ),
        "arrays npz": arrays("a.npz", write_npz),
        "TFRecord": records(read_arrays),
        "TFRecord, pipeline": records(read_pipeline),
        "array_record": records(read_arrays, "array_record"),
        "array_record, pipeline": records(read_pipeline, "array_record"),
        "TFRecord, framed anew": Format(
            write_data_set, read_arrays, nothing, NUMBERS, unrecord, record
        ),
        "TFDS metadata": Format(write_data_set, read_arrays, nothing, METADATA),
        "keras": Format(write_model, read_model),
        "keras, repacked": Format(
            write_model, read_model, nothing, NUMBERS, unzip, rezip
        ),
        "run folder": Format(write_settings, settings, nothing, NUMBERS),
        "two rounds": Format(two_rounds, two_rounds, nothing, NUMBERS),
    }


def victims(name, folder):
    """The files that are mutated."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    if name == "TFDS metadata":
        return [path for path in files if path.suffix == ".json"]
    if "ecord" in name:
        return [path for path in files if "record-" in path.name]
    return files


# Mutations: functions of the content and a generator.


def flip_bit(content, rng):
    i = rng.integers(len(content))
    return splice(content, i, 1, bytes([content[i] ^ 1 << rng.integers(8)]))


def set_byte(content, rng):
    value = rng.choice([0, 1, 0x7F, 0x80, 0xFF])
    return splice(content, rng.integers(len(content)), 1, bytes([value]))


def truncate(content, rng):
    return content[: rng.integers(len(content))]


def extend(content, rng):
    return content + rng.bytes(rng.integers(1, 100))


def remove(content, rng):
    return splice(content, *block(content, rng), b"")


def zero(content, rng):
    start, size = block(content, rng)
    return splice(content, start, size, bytes(size))


def duplicate(content, rng):
    start, size = block(content, rng)
    return splice(content, start, 0, content[start : start + size])


def swap(content, rng):
    size = max(1, rng.integers(len(content) // 3 + 1))
    first, second = sorted(rng.integers(len(content) - size + 1, size=2))
    second = max(second, first + size)
    return (
        content[:first]
        + content[second : second + size]
        + content[first + size : second]
        + content[first : first + size]
        + content[second + size :]
    )


def number(content, rng):
    """A number in binary that is huge or negative."""
    size = int(rng.choice([2, 4, 8]))
    value = int(rng.choice([2**31 - 1, 2**63 - 1, -1, 10**8, 2**24]))
    order = rng.choice(["little", "big"])
    value = (value % 2 ** (8 * size)).to_bytes(size, order)
    start = rng.integers(min(len(content), 1024))
    return splice(content, start, size, value)


def word(content, rng):
    """A number or a word of text that becomes another."""
    found = list(re.finditer(rb'-?\d+(\.\d+)?|true|null|"[^"]*"', content))
    if not found:
        return flip_bit(content, rng)
    match = found[rng.integers(len(found))]
    others = [b"-1", b"0", b"7", b"1e999", b"NaN", b"20000", b"9" * 20]
    others += [b"null", b"true", b"[]", b"{}", b'"x"', b"1.5", b"9" * 5000]
    others += [b"[" * 100000, b"\xff"]
    other = others[rng.integers(len(others))]
    return splice(content, match.start(), len(match[0]), other)


def lie(content, rng):
    """Another size in the directory of a ZIP file, or a number."""
    entry = content.find(b"PK\x01\x02")
    if entry < 0:
        return number(content, rng)
    value = int(rng.choice([0, 1, 2**31, 2**32 - 2, 100]))
    place = entry + int(rng.choice([16, 20, 24, 28, 42]))
    return splice(content, place, 4, struct.pack("<I", value))


MUTATIONS = (
    *(flip_bit, set_byte, truncate, extend, remove, zero, duplicate, swap),
    *(number, word, word, lie),
)


def block(content, rng):
    size = rng.integers(1, min(len(content), 64) + 1)
    return rng.integers(len(content) - size + 1), size


def splice(content, start, size, new):
    return content[:start] + new + content[start + size :]


def mutate(name, folder, number):
    """The file that mutation `number` changes, how, and its new content."""
    form = formats()[name]
    rng = np.random.default_rng([zlib.crc32(name.encode()), number])
    files = victims(name, folder)
    path = files[rng.integers(len(files))]
    whole = path.read_bytes()
    change = MUTATIONS[number % len(MUTATIONS)]
    parts = form.unpack(whole)
    part = sorted(parts)[rng.integers(len(parts))]
    if parts[part]:
        parts[part] = change(parts[part], rng)
    return path, f"{change.__name__} of {path.name} {part}", form.pack(parts)


# The process that reads.


def freeze(value):
    """What can be compared, of all that readers return."""
    from loupe_tf.masks import SamplingMask

    if isinstance(value, np.ndarray | np.generic):
        return value.shape, value.dtype.str, value.tobytes()
    if isinstance(value, SamplingMask):
        return {"array": freeze(value.array), "metadata": str(value.metadata)}
    if dataclasses.is_dataclass(value):
        return freeze(vars(value))
    if isinstance(value, dict):
        return {key: freeze(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [freeze(item) for item in value]
    return repr(value)


def attempt(name, folder, file, right):
    """What reading comes to: one of the outcomes, and what it says."""
    import tensorflow as tf

    form = formats()[name]
    try:
        found = freeze(form.read(folder))
    # What is raised in `tf.data`, it hands on as an error of its own.
    except (ValueError, OSError, tf.errors.InvalidArgumentError) as error:
        text = str(error)
        if str(folder) not in text and file not in text:
            return "unnamed error", f"{type(error).__name__}: {text}"
        if "MemoryError" in text or "ResourceExhausted" in text:
            return "memory", text
        return "named error", text
    except Exception as error:
        return "raw error", f"{type(error).__name__}: {error}"
    if found == right:
        return "right value", ""
    if form.loose and form.kept(found) == form.kept(right):
        return "other value", form.loose
    return "wrong value", ""


def child(folder, connection):
    """Answer `(name, number)` with an outcome, until there are no more."""
    import loupe_tf.datasets  # noqa: F401
    from loupe_tf.formats import set_memory_limit

    warnings.simplefilter("ignore")
    set_memory_limit("64M")
    pages = int(pathlib.Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    right = {}
    connection.send("ready")
    with contextlib.suppress(EOFError):
        while True:
            name, number = connection.recv()
            own = folder / name
            if name not in right:
                right[name] = freeze(formats()[name].read(own))
            path, text, content = mutate(name, own, number)
            whole = path.read_bytes()
            # New files: what a reader has mapped stays as it is.
            path.unlink()
            path.write_bytes(content)
            outcome, reason = attempt(name, own, path.name, right[name])
            path.unlink()
            path.write_bytes(whole)
            connection.send((outcome, text, reason[:500]))


class Child:
    """A process that is started again when it hangs or dies."""

    def __init__(self, folder):
        self.folder, self.process = folder, None

    def ask(self, name, number):
        if self.process is None:
            shutil.rmtree(self.folder / name)
            shutil.copytree(self.folder / "whole" / name, self.folder / name)
            context = multiprocessing.get_context("spawn")
            self.connection, other = context.Pipe()
            # By its path: the folder of the tests need not be one that Python
            # imports from.
            self.process = context.Process(
                target=runpy.run_path,
                args=(__file__, {"ARGUMENTS": (self.folder, other)}, CHILD),
                daemon=True,
            )
            self.process.start()
            other.close()
            assert self._answer(120) == "ready"
        self.connection.send((name, number))
        return self._answer(SECONDS)

    def _answer(self, seconds):
        try:
            if self.connection.poll(seconds):
                return self.connection.recv()
            answer = "hang", "", f"{seconds} s"
        except (EOFError, ConnectionError):
            self.process.join(10)
            answer = "death", "", f"exit code {self.process.exitcode}"
        self.close()
        return answer

    def close(self):
        if self.process is not None:
            self.process.kill()
            self.process.join()
            self.process = None


GOOD = ("right value", "named error", "other value")


def fuzz(folder, numbers, names=None):
    """Mutate each format; a table of counts, and what must not be."""
    table, bad = {}, []
    helper = Child(folder)
    try:
        for name in names or formats():
            own = folder / "whole" / name
            own.mkdir(parents=True)
            formats()[name].write(own)
            shutil.copytree(own, folder / name)
            counts = table[name] = collections.Counter()
            begin = time.monotonic()
            for number in numbers:
                outcome, text, reason = helper.ask(name, number)
                counts[outcome] += 1
                if outcome not in GOOD:
                    bad.append((name, number, outcome, text, reason))
            counts["seconds"] = round(time.monotonic() - begin, 1)
    finally:
        helper.close()
    return table, bad


def show(table, bad):
    outcomes = [*GOOD, *sorted({line[2] for line in bad}), "seconds"]
    print("\n" + " | ".join(["format", *outcomes]))
    for name, counts in table.items():
        print(" | ".join([name, *(str(counts[o]) for o in outcomes)]))
    for line in bad:
        print(*line, sep="; ")


def check(folder, numbers, names=None):
    for package in ("nibabel", "pydicom", "ismrmrd", "pypulseq"):
        pytest.importorskip(package)
    if not sys.platform.startswith("linux"):
        pytest.skip("limits of memory are Linux's")
    table, bad = fuzz(folder, numbers, names)
    show(table, bad)
    assert not bad, "\n".join(map(str, bad[:20]))
    return table


def test_every_format_a_little(tmp_path):
    """Some 300 mutations."""
    table = check(tmp_path, range(8))
    assert all(counts["named error"] for counts in table.values())


@pytest.mark.slow
def test_every_format(tmp_path):
    """3,000 mutations, others than those above."""
    each = range(8, 8 + -(-3000 // len(formats())))
    table = check(tmp_path, each)
    assert all(counts["named error"] for counts in table.values())


if __name__ == CHILD:
    child(*ARGUMENTS)  # noqa: F821
