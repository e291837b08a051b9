"""What tests of several modules share: gradients, scripts, processes."""

import importlib.util
import inspect
import json
import os
import pathlib
import socket
import subprocess
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("MPLBACKEND", "Agg")

import keras
import numpy as np
import pytest


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def images(rng):
    """Eight smooth 16×18 magnitude images in [0, 1]."""
    grid = np.indices((16, 18)).astype("float32") / 16
    out = []
    for a, b, c in rng.uniform(0.5, 3, size=(8, 3)):
        out.append(0.5 + 0.5 * np.sin(a * grid[0] + b * grid[1] * 2 + c))
    return np.stack(out).astype("float32")[..., None]


@pytest.fixture
def eager(request, monkeypatch):
    """On TensorFlow, models run without a graph.

    To make one takes longer than the few steps of a test. Tests marked `graph`
    or `slow` have it all the same. This is not for tests of layers and of what
    networks compute, which must do so in a graph.
    """
    if keras.backend.backend() == "tensorflow" and not _is_thorough(request):
        always = property(lambda model: True, lambda model, value: None)
        monkeypatch.setattr(keras.Model, "run_eagerly", always)


def _is_thorough(request):
    return any(map(request.node.get_closest_marker, ("graph", "slow")))


@pytest.fixture
def undrawn(request, monkeypatch):
    """Figures of reports are made but not drawn, which tests/plots does."""
    if not _is_thorough(request):
        monkeypatch.setattr("loupe_tf.report._png", lambda figure: b"\x89PNG")


@pytest.fixture
def keras_config():
    """Keras's settings, for a test to change: they are put back after it."""
    yield keras.config
    _reset_keras_config()


def _reset_keras_config():
    keras.config.set_floatx("float32")
    keras.config.set_image_data_format("channels_last")
    keras.config.set_dtype_policy("float32")


@pytest.fixture
def gradient():
    """`gradient(function, x)`: that of a scalar function, as an array."""
    return _gradient


def _gradient(function, x):
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        x = tf.convert_to_tensor(x)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = function(x)
        return tape.gradient(y, x).numpy()
    if backend == "jax":
        import jax

        return np.asarray(jax.grad(function)(x))
    import torch

    x = torch.tensor(x, requires_grad=True)
    function(x).backward()
    return x.grad.numpy()


@pytest.fixture
def check_layer():
    """What every layer must do: shapes, float32, configuration, saving."""
    return _check_layer


def _check_layer(layer, *inputs):
    inputs = inputs[0] if len(inputs) == 1 else list(inputs)
    output = layer(inputs)
    if isinstance(inputs, list):
        shape = [tuple(x.shape) for x in inputs]
    else:
        shape = tuple(inputs.shape)
    assert tuple(output.shape) == tuple(layer.compute_output_shape(shape))
    assert keras.backend.standardize_dtype(output.dtype) == "float32"
    assert all(w.dtype == "float32" for w in layer.weights)

    config = layer.get_config()
    twin = type(layer).from_config(config)
    assert twin.get_config() == config
    assert twin.name == layer.name

    draws = "training" in inspect.signature(layer.call).parameters
    try:
        for policy, floatx in (
            ("mixed_float16", "float32"),
            ("mixed_bfloat16", "float32"),
            ("float64", "float64"),
            ("float16", "float16"),
        ):
            keras.config.set_floatx(floatx)
            keras.config.set_dtype_policy(policy)
            mixed = type(layer).from_config(
                {k: v for k, v in config.items() if k != "dtype"}
            )
            outputs = [mixed(inputs)]
            if draws:
                outputs.append(mixed(inputs, training=True))
            for output in outputs:
                dtype = keras.backend.standardize_dtype(output.dtype)
                assert dtype == "float32"
            assert all(w.dtype == "float32" for w in mixed.weights)
    finally:
        _reset_keras_config()


@pytest.fixture
def full_disk():
    """`full_disk(size, at)`: a callback after which files may not grow.

    From the end of epoch `at` on files of more than `size` bytes are refused as
    on a full disk, until `full_disk.ends()`.
    """
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    class FullDisk(keras.callbacks.Callback):
        def __init__(self, size, at):
            super().__init__()
            self.limit = (size, before[1])
            self.at = at

        def on_epoch_end(self, epoch, logs=None):
            if epoch == self.at:
                resource.setrlimit(resource.RLIMIT_FSIZE, self.limit)

        @staticmethod
        def ends():
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    yield FullDisk
    FullDisk.ends()


@pytest.fixture(scope="session")
def load_script():
    """`load_script("reproduce_4s.py")`: a file of scripts/, as a module."""
    return _load_script


def _load_script(name):
    path = pathlib.Path(__file__).parents[1] / "scripts" / name
    spec = importlib.util.spec_from_file_location(f"script_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    # Where data classes and pickle look for it.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def kspace(rng):
    """K-space `(slices, coils, H, W)`: three slices, two coils."""
    pair = rng.normal(size=(2, 3, 2, 8, 7))
    return (pair[0] + 1j * pair[1]).astype(np.complex64)


@pytest.fixture
def scan_path(tmp_path):
    """Where `write_ismrmrd` may put a scan."""
    return tmp_path / "scan.mrd"


@pytest.fixture
def read_kspace():
    """`read_kspace(path, **options)`: all slices of `load_kspace`, stacked."""
    return _read_kspace


def _read_kspace(path, **options):
    from loupe_tf.formats import load_kspace

    with load_kspace(path, **options) as volume:
        array = np.stack([volume[i] for i in range(len(volume))])
        assert volume.shape == array.shape and array.dtype == np.complex64
        return array


@pytest.fixture
def write_ismrmrd():
    """`write_ismrmrd(path, kspace, mask)`: a measurement as ISMRM raw data."""
    return _write_ismrmrd


def _write_ismrmrd(
    path,
    kspace,
    mask=None,
    oversampling=1,
    change=None,
    repetitions=1,
    change_header=None,
):
    """Acquire columns of `(slices, coils, H, W)`, or `(coils, x, y, z)`.

    `change(acquisition)` may change each of them, or return `False` to leave it
    out; `change_header(header)` the header; `mask` is of columns, or of points
    `(y, z)` for three dimensions.
    """
    ismrmrd = pytest.importorskip("ismrmrd")
    xsd = pytest.importorskip("ismrmrd.xsd")
    mask = None if mask is None else np.asarray(mask)
    points = mask is not None and len(mask) > 1
    if not points:
        kspace = np.moveaxis(kspace, 0, -1)  # (coils, H, W, slices)
    coils, x, *counts = kspace.shape
    views = (2.0 * x / oversampling, 3.0 * counts[0], 4.0)
    matrix = [x, *counts] if points else [x, counts[0], 1]

    def space(factor):
        sizes = dict(zip("xyz", [matrix[0] // factor, *matrix[1:]]))
        mm = dict(zip("xyz", [views[0] * oversampling / factor, *views[1:]]))
        return xsd.encodingSpaceType(
            matrixSize=xsd.matrixSizeType(**sizes),
            fieldOfView_mm=xsd.fieldOfViewMm(**mm),
        )

    limits = [
        xsd.limitType(minimum=0, maximum=n - 1, center=n // 2) for n in matrix
    ]
    encoding = xsd.encodingType(
        encodedSpace=space(1),
        reconSpace=space(oversampling),
        trajectory=xsd.trajectoryType.CARTESIAN,
        encodingLimits=xsd.encodingLimitsType(
            kspace_encoding_step_1=limits[1], kspace_encoding_step_2=limits[2]
        ),
    )
    header = xsd.ismrmrdHeader(
        experimentalConditions=xsd.experimentalConditionsType(
            H1resonanceFrequency_Hz=0
        ),
        encoding=[encoding],
    )
    acquisitions = []
    for repetition in range(repetitions):
        for first, second in np.ndindex(*counts):
            entry = (first, second) if points else (0, first)
            if mask is not None and not mask[entry]:
                continue
            data = np.ascontiguousarray(kspace[:, :, first, second])
            acquisition = ismrmrd.Acquisition.from_array(
                (1 + repetition) * data.astype(np.complex64),
                center_sample=x // 2,
            )
            acquisition.idx.kspace_encode_step_1 = first
            acquisition.idx.repetition = repetition
            if points:
                acquisition.idx.kspace_encode_step_2 = second
            else:
                acquisition.idx.slice = second
            if change is None or change(acquisition) is not False:
                acquisitions.append(acquisition)
    if change_header is not None:
        change_header(header)
    with ismrmrd.File(str(path), "w") as file:
        file["dataset"].header = header
        file["dataset"].acquisitions = acquisitions


@pytest.fixture
def write_samples():
    """`write_samples(path, samples, trajectory)`: curves as ISMRM raw data."""
    return _write_samples


def _write_samples(path, samples, trajectory, change=None, own=True):
    """Acquire `(slices, coils, shots, samples)`.

    `change(acquisition)` may change each acquisition. The trajectory is in the
    acquisitions if `own`.
    """
    import h5py

    ismrmrd = pytest.importorskip("ismrmrd")
    path.unlink(missing_ok=True)
    trajectory.save(path)
    with ismrmrd.File(str(path)) as file:
        header = file["dataset"].header
        header.userParameters = None
        acquisitions = []
        for i, one in enumerate(np.asarray(samples, np.complex64)):
            for shot, old in enumerate(file["dataset"].acquisitions[:]):
                new = ismrmrd.Acquisition.from_array(
                    np.ascontiguousarray(one[:, shot]),
                    *([old.traj] if own else []),
                )
                new.idx.kspace_encode_step_1 = shot
                new.idx.slice = i
                if change:
                    change(new)
                acquisitions.append(new)
        file["dataset"].header = header
        file["dataset"].acquisitions = acquisitions
    with h5py.File(path, "a") as file:
        del file.attrs["loupe_tf_trajectory"]


@pytest.fixture
def start_workers(tmp_path):
    """`start_workers(*arguments)`: two Python processes that know each other.

    Their outputs are in the files `processes[i].output`. They end with the
    test, whatever happens.
    """
    every = []

    def start(*arguments):
        # Bound at the same time, so that they differ.
        sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
        workers = [f"127.0.0.1:{s.getsockname()[1]}" for s in sockets]
        for s in sockets:
            s.close()
        processes = []
        for index in range(2):
            output = tmp_path / f"output_{len(every)}"
            config = {
                "cluster": {"worker": workers},
                "task": {"type": "worker", "index": index},
            }
            with output.open("w") as file:
                process = subprocess.Popen(
                    [sys.executable, *map(str, arguments)],
                    stdout=file,
                    stderr=subprocess.STDOUT,
                    env={
                        **os.environ,
                        "KERAS_BACKEND": "tensorflow",
                        "TF_CONFIG": json.dumps(config),
                    },
                )
            process.output = output
            processes.append(process)
            every.append(process)
        return processes

    yield start
    for process in every:
        process.kill()
        process.wait()


@pytest.fixture
def wait_until():
    """`wait_until(condition)`: `True` when it holds, or the test fails."""

    def wait(condition, *processes, seconds=240):
        end = time.monotonic() + seconds
        while not condition():
            for process in processes:
                ended = process.poll() is not None
                assert not ended, process.output.read_text()[-3000:]
            assert time.monotonic() < end, "waited in vain"
            time.sleep(0.02)  # Between two looks.

    return wait
