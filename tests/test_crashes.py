"""Commands that are killed, or find the disk full, end as if nothing had been.

Minutes: each kills a command at five moments, drawn at random, and compares
what it ends with to an undisturbed run.
"""

import dataclasses
import hashlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys

import keras
import numpy as np
import pytest

from loupe_tf import masks, models
from loupe_tf.datasets import write_fastmri_dataset

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        keras.backend.backend() != "tensorflow", reason="builds with TensorFlow"
    ),
]

SCRIPTS = pathlib.Path(__file__).parents[1] / "scripts"
LOUPE_TF = ("loupe_tf.cli",)
MOMENTS = 5

# Runs a script, or a module, and kills it so many seconds after so many changes
# of files in a folder: moments that do not depend on how fast the machine is.
# It leaves the number of changes in a file.
RUN = """
import os, runpy, signal, sys, threading
folder, moment, delay, log = sys.argv[1:5]
moment, delay, count = int(moment), float(delay), 0
del sys.argv[:5]


def kill():
    os.kill(os.getpid(), signal.SIGKILL)


def hook(event, arguments):
    global count
    if event == "open":
        path, mode, flags = arguments
        changes = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
    else:
        path = arguments[0] if arguments else None
        changes = event in ("os.rename", "os.mkdir", "os.remove", "os.rmdir")
    if changes and isinstance(path, (str, os.PathLike)):
        if os.fspath(path).startswith(folder):
            count += 1
            if count == moment:
                threading.Timer(delay, kill).start() if delay else kill()


sys.addaudithook(hook)
sys.path.insert(0, os.path.dirname(sys.argv[0]))
path = sys.argv[0].endswith(".py")
run = runpy.run_path if path else runpy.run_module
try:
    run(sys.argv[0], run_name="__main__")
finally:
    with open(log, "w") as file:
        file.write(str(count))
"""


@dataclasses.dataclass
class Case:
    """A script or command, its arguments, what is the same in the end."""

    script: str
    arguments: list
    out: str  # The option that names the folder.
    result: callable

    def run(self, folder, moment=0, delay=0.0, **kwargs):
        folder = folder.absolute()
        log = folder.with_name(f"{folder.name}.count")
        log.unlink(missing_ok=True)
        moments = [str(folder), str(moment), str(delay), str(log)]
        script = [*LOUPE_TF, self.script]
        if self.script.endswith(".py"):
            script = [SCRIPTS / self.script]
        script += [*self.arguments, self.out, folder]
        done = subprocess.run(
            [sys.executable, "-c", RUN, *moments, *map(str, script)],
            capture_output=True,
            text=True,
            env={
                **os.environ,
                # Sums in the same order.
                "TF_NUM_INTRAOP_THREADS": "1",
                "TF_NUM_INTEROP_THREADS": "1",
                "TF_CPP_MIN_LOG_LEVEL": "3",
            },
            **kwargs,
        )
        count = int(log.read_text()) if log.exists() else None
        return done, count


def without_time(value):
    """Everything but what tells of clocks, places and commands."""
    if isinstance(value, dict):
        left_out = ("seconds", "facts", "stamp", "file")
        return {
            k: without_time(v) for k, v in value.items() if k not in left_out
        }
    return [*map(without_time, value)] if isinstance(value, list) else value


def read(path):
    return without_time(json.loads(path.read_text()))


def contents(folder, pattern):
    """Digests of files, by name."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob(pattern)
    }


def train(tmp_path):
    volumes = np.random.default_rng(0).uniform(size=(6, 2, 16, 16))
    data = tmp_path / "data.npz"
    np.savez(data, **{f"v{i}": x for i, x in enumerate(volumes)})
    return Case(
        "train",
        [
            *("--data", data, "--filters", "2", "--depth", "1"),
            *("--epochs", "3", "2", "--batch-size", "4"),
            *("--patience", "1", "--cooldown", "0"),
        ],
        "--out",
        lambda out: [
            read(out / "metrics.json"),
            read(out / "history.json"),
            (out / "report.html").exists(),
        ],
    )


def reproduce_4s(tmp_path):
    volumes = np.random.default_rng(0).uniform(size=(4, 1, 16, 16))
    data = tmp_path / "data.npz"
    np.savez(data, **{f"v{i}": x for i, x in enumerate(volumes)})
    return Case(
        "reproduce_4s.py",
        [
            *("--data", data, "--accelerations", "4", "--slopes", "20"),
            *("--first-slope", "20", "--epochs", "1"),
            *("--filters", "2", "--depth", "1"),
        ],
        "--out",
        lambda out: [
            read(out / "results.json")[key] for key in ("runs", "verdicts")
        ],
    )


def build_data_set(tmp_path):
    write_fastmri_dataset(
        tmp_path / "knee",
        {"multicoil_train": 6, "multicoil_val": 2},
        slices=4,
        coils=4,
        size=(80, 60),
        recon_size=(40, 40),
    )
    return Case(
        "build",
        ["fastmri_slices/knee_multicoil", "--data", tmp_path / "knee"],
        "--data-dir",
        lambda out: [
            contents(out, "*tfrecord*") or contents(out, "*array_record*"),
            [
                read(path)["splits"]
                for path in sorted(out.rglob("dataset_info.json"))
            ],
        ],
    )


def reconstruct(tmp_path):
    mask = masks.random_lines((16, 14), 2, calibration=4, seed=0)
    model = models.loupe_model((16, 14, 1), mask=mask, filters=2, depth=1)
    model.save(tmp_path / "model.keras")
    write_fastmri_dataset(
        tmp_path / "knee",
        {"singlecoil_val": 4},
        slices=3,
        coils=2,
        size=(16, 14),
        recon_size=(8, 8),
    )
    files = sorted((tmp_path / "knee").rglob("*.h5"))
    return Case(
        "reconstruct",
        [*files, "--model", tmp_path / "model.keras", "--undersample"],
        "--out",
        lambda out: [
            {p.name: read(p) for p in sorted(out.glob("records/*.json"))},
            contents(out, "*.n*"),
        ],
    )


CASES = [train, reproduce_4s, build_data_set, reconstruct]


@pytest.fixture(params=CASES, ids=lambda case: case.__name__)
def case(request, tmp_path):
    return request.param(tmp_path)


def test_killed_at_random_moments(case, tmp_path):
    done, count = case.run(tmp_path / "whole")
    assert done.returncode == 0, done.stderr
    whole = case.result(tmp_path / "whole")
    rng = np.random.default_rng(0)
    killed = 0
    for i in range(MOMENTS):
        # A run that goes on has less to do than one from the beginning.
        left = count * (MOMENTS - i) // MOMENTS
        moment = 1 + int(rng.integers(max(left // 2, 1)))
        delay = rng.choice([0.0, rng.uniform(0, 0.2)])
        done, _ = case.run(tmp_path / "killed", moment, delay)
        assert done.returncode in (0, -signal.SIGKILL), done.stderr
        killed += done.returncode == -signal.SIGKILL
        if done.returncode == 0:  # It was faster: from the beginning.
            assert case.result(tmp_path / "killed") == whole
            shutil.rmtree(tmp_path / "killed")
    assert killed > 1
    done, _ = case.run(tmp_path / "killed")
    assert done.returncode == 0, done.stderr
    assert case.result(tmp_path / "killed") == whole


def full(limit):
    """For `preexec_fn`: files of no more than so many bytes."""
    resource = pytest.importorskip("resource")

    def set_limit():
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))

    return set_limit


@pytest.mark.parametrize("build", [train, build_data_set])
def test_a_full_disk_ends_in_a_message(build, tmp_path):
    case = build(tmp_path)
    limit = 20_000 if build is train else 100_000
    done, _ = case.run(tmp_path / "out", preexec_fn=full(limit))
    assert done.returncode == 2, done.stderr
    message = done.stderr.splitlines()[-1]
    assert message.startswith("error: ") and "MB free" in message
    assert str(tmp_path / "out") in message
    # With room again, the same command ends as ever.
    done, _ = case.run(tmp_path / "out")
    assert done.returncode == 0, done.stderr
    done, _ = case.run(tmp_path / "whole")
    assert case.result(tmp_path / "out") == case.result(tmp_path / "whole")


def test_a_small_file_system(tmp_path):
    """The same on a disk that is really full, which then gets room."""
    case, disk = train(tmp_path), tmp_path / "disk"
    disk.mkdir()

    def mount(size, *options):
        command = ["mount", "-t", "tmpfs", "-o", ",".join([*options, size])]
        return subprocess.run([*command, "tmpfs", disk], capture_output=True)

    if not shutil.which("mount") or mount("size=140k").returncode:
        pytest.skip("needs a file system of its own")
    try:
        done, _ = case.run(disk / "out", cwd=tmp_path)
        assert done.returncode == 2, done.stderr
        assert "No space left on device" in done.stderr.splitlines()[-1]
        assert mount("size=64m", "remount").returncode == 0
        done, _ = case.run(disk / "out", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        done, _ = case.run(tmp_path / "whole")
        assert case.result(disk / "out") == case.result(tmp_path / "whole")
    finally:
        subprocess.run(["umount", disk], check=True)
