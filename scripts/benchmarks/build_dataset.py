"""Measure how fast data sets are built, and how much memory that takes.

The benchmark builds simulated fastMRI files, 640×368 and single-coil, into the
data sets `fastmri_slices/knee_singlecoil` (magnitude images) and
`fastmri_slices/knee_singlecoil_kspace` (complex k-space). For comparison, a
plain loop over h5py does the same arithmetic and writes a .npy file for each
volume. The two alternate, round after round, in one process and on the same
files, which are in the system's cache. Neither waits until its output is on the
disk. The script prints the median and the quartiles of the ratios of slices per
second within a round.

Peak memory is measured in a fresh process for each build, of 8 and of 64
volumes.

    python scripts/benchmarks/build_dataset.py
    python scripts/benchmarks/build_dataset.py --quick
    python scripts/benchmarks/build_dataset.py --volumes 16 --folder /mnt/disk

Records of array_record are written without compression, like those of tfrecord.
The limits are a speed of at least 0.5 of the loop's, and peaks within 10 % of
each other. The exit code is 0 whether they hold or not. The files take at most
4 GB in a temporary folder, which is removed at the end.
"""

import argparse
import importlib.metadata
import itertools
import json
import os
import pathlib
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time

import h5py
import numpy as np

import loupe_tf

SPEED_LIMIT = 0.5
MEMORY_LIMIT = 1.1

SIZE = {"size": (640, 368), "recon_size": (320, 320)}
QUICK_SIZE = {"size": (32, 24), "recon_size": (16, 16)}
CONFIGS = ("knee_singlecoil", "knee_singlecoil_kspace")
FORMATS = ("tfrecord", "array_record")
# A new process starts from the peak of the one it comes from, which is best a
# small one.
SMALL = "import subprocess, sys; sys.exit(subprocess.call(sys.argv[1:]))"
# Volumes whose builds are compared in memory, and the slices of each.
MEMORY_VOLUMES = (8, 64)
MEMORY_SLICES = 12


def build(config, source, target, file_format):
    """Build the data set; this is timed."""
    import tensorflow_datasets as tfds

    from loupe_tf.datasets.fastmri_slices import fastmri_slices_dataset_builder

    size = {}
    if config == "knee_singlecoil":
        with h5py.File(next(source.glob("*/*.h5"))) as file:
            size = {"size": file["reconstruction_esc"].shape[-1]}
    builder = fastmri_slices_dataset_builder.Builder(
        data_dir=target,
        config=loupe_tf.datasets.FastmriSlicesConfig(config, **size),
        file_format=file_format,
    )
    config = tfds.download.DownloadConfig(manual_dir=source)
    builder.download_and_prepare(download_config=config)


def loop(config, source, target):
    """The loop that a user who needs the arrays once would write."""
    target.mkdir(parents=True)
    for path in sorted(source.glob("*/*.h5")):
        with h5py.File(path) as file:
            recon = file["reconstruction_esc"][()]
            check_finite(recon)
            maximum, norm = recon.max(), np.linalg.norm(recon)
            attributes = [dict(file.attrs), maximum, norm]
            if config == "knee_singlecoil":
                np.save(target / f"{path.stem}.npy", recon / maximum)
            else:
                attributes.append(file["ismrmrd_header"][()])
                kspace = file["kspace"][()]
                check_finite(kspace)
                np.save(target / f"{path.stem}.npy", kspace)
                np.save(target / f"{path.stem}_target.npy", recon)
        (target / f"{path.stem}.txt").write_text(str(attributes))


def check_finite(array):
    if not np.isfinite(array).all():
        raise ValueError("not finite")


def seconds_of(function, *arguments, target):
    os.sync()  # Flush the writes of the previous run to the disk.
    begin = time.perf_counter()
    function(*arguments)
    seconds = time.perf_counter() - begin
    shutil.rmtree(target)
    return seconds


def measure_speed(config, file_format, source, folder, rounds):
    """Seconds of the build and of the loop, `{name: [one per round]}`."""
    data, arrays = folder / "data", folder / "arrays"
    runs = {
        "build": lambda: seconds_of(
            build, config, source, data, file_format, target=data
        ),
        "loop": lambda: seconds_of(loop, config, source, arrays, target=arrays),
    }
    seconds = {name: [] for name in runs}
    rng = np.random.default_rng(0)
    for i in range(rounds + 1):
        for name in rng.permutation(list(runs)):
            taken = runs[name]()
            if i:  # The first round is a warm-up.
                seconds[name].append(taken)
    return seconds


def measure_memory(config, sources, folder):
    """Peak MiB of a build in a separate process, `{volumes: MiB}`."""
    peaks = {}
    for count, source in sources.items():
        target = folder / "data"
        command = [sys.executable, "-c", SMALL]
        command += [sys.executable, __file__, "--memory-of", config]
        command += ["--folder", str(source), "--target", str(target)]
        result = subprocess.run(command, stdout=subprocess.PIPE, check=True)
        peaks[count] = json.loads(result.stdout)
        shutil.rmtree(target)
    return peaks


def memory_of(config, source, target):
    """The measurement that `measure_memory` runs in the other process."""
    before = peak_memory()
    build(config, source, target, "tfrecord")
    return {"before": before, "peak": peak_memory()}


def peak_memory():
    """The peak memory of this process so far, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def write_memory_sources(folder, slices, size):
    """Write a few volumes, and hard-link them under as many names as needed."""
    few = folder / "few"
    counts = {"singlecoil_train": 2}
    paths = loupe_tf.datasets.write_fastmri_dataset(
        few, counts, slices=slices, **size
    )
    paths = itertools.cycle(paths["singlecoil_train"])
    sources = {}
    for count in MEMORY_VOLUMES:
        sources[count] = folder / f"{count}_volumes"
        target = sources[count] / "singlecoil_train"
        target.mkdir(parents=True)
        for i, path in zip(range(count), paths):
            os.link(path, target / f"file{1000001 + i}.h5")
    return sources


def speed_row(config, file_format, seconds, slices):
    ratios = np.divide(seconds["loop"], seconds["build"])
    low, median, high = np.percentile(ratios, [25, 50, 75]).tolist()
    return {
        "what": f"speed, {config}, {file_format}",
        "ratio": median,
        "quartiles": [low, high],
        "limit": f">= {SPEED_LIMIT}",
        "held": median >= SPEED_LIMIT,
        "slices_per_second": {
            name: slices / float(np.median(each))
            for name, each in seconds.items()
        },
    }


def memory_row(config, peaks):
    few, many = (peaks[count]["peak"] for count in MEMORY_VOLUMES)
    return {
        "what": f"peak memory, {config}",
        "ratio": many / few,
        "limit": f"<= {MEMORY_LIMIT}",
        "held": max(many / few, few / many) <= MEMORY_LIMIT,
        "peaks": peaks,
    }


def table(rows):
    line = "{:<46}{:>6}  {:<13}  {:<7}  {:<4}".format
    lines = [line("", "ratio", "quartiles", "limit", "held")]
    for row in rows:
        quartiles = "-"
        if "quartiles" in row:
            quartiles = "{:.3f}-{:.3f}".format(*row["quartiles"])
        held = "yes" if row["held"] else "NO"
        ratio = f"{row['ratio']:.3f}"
        lines.append(line(row["what"], ratio, quartiles, row["limit"], held))
        if "peaks" in row:
            peaks = "  MiB: " + ", ".join(
                f"{count} volumes {peak['peak']:.0f} ({peak['before']:.0f} "
                "before the build)"
                for count, peak in row["peaks"].items()
            )
            lines.append(peaks)
        else:
            speed = row["slices_per_second"]
            speed = {name: f"{value:.0f}" for name, value in speed.items()}
            lines.append(
                f"  slices/s: build {speed['build']}, loop {speed['loop']}"
            )
    return "\n".join(text.rstrip() for text in lines)


def environment():
    version = importlib.metadata.version
    return (
        f"{platform.machine()}, {os.cpu_count()} cores; "
        f"loupe_tf {loupe_tf.__version__}, "
        f"TFDS {version('tensorflow-datasets')}, "
        f"TensorFlow {version('tensorflow')}, h5py {h5py.__version__}, "
        f"NumPy {np.__version__}, Python {platform.python_version()}"
    )


def parse_arguments(arguments=None):
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n\n")[0],
        epilog=__doc__.split("\n\n", 1)[1].replace("%", "%%"),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--volumes", type=int, default=8, help="to build (%(default)s)")
    add("--slices", type=int, default=36, help="of a volume (%(default)s)")
    add("--rounds", type=int, default=7, help="of each (%(default)s)")
    add("--folder", help="where the temporary folder is made")
    add("--json", metavar="OUT", help="file for the ratios and every time")
    add("--quick", action="store_true", help="a toy: does it run at all?")
    add("--memory-of", choices=CONFIGS, help=argparse.SUPPRESS)
    add("--target", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    for name, value in vars(options).items():
        if type(value) is int and value < 1:
            parser.error(f"--{name} must be at least 1, not {value}")
    return options


def main(arguments=None):
    options = parse_arguments(arguments)
    import tensorflow_datasets as tfds

    tfds.disable_progress_bar()
    if options.memory_of:
        source, target = pathlib.Path(options.folder), options.target
        print(json.dumps(memory_of(options.memory_of, source, target)))
        return 0
    volumes, slices, rounds = options.volumes, options.slices, options.rounds
    size, memory_slices = SIZE, MEMORY_SLICES
    if options.quick:
        volumes, slices, rounds = 2, 2, 2
        size, memory_slices = QUICK_SIZE, 2
    print(f"{environment()}")
    print(
        f"{volumes} volumes of {slices} slices, {rounds} rounds; memory with "
        f"{memory_slices} slices\n",
        flush=True,
    )
    rows = []
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        folder = pathlib.Path(folder)
        sources = write_memory_sources(folder, memory_slices, size)
        for config in CONFIGS:
            peaks = measure_memory(config, sources, folder)
            rows.append(memory_row(config, peaks))
        source = folder / "source"
        counts = {"singlecoil_train": volumes}
        loupe_tf.datasets.write_fastmri_dataset(
            source, counts, slices=slices, **size
        )
        for config in CONFIGS:
            for file_format in FORMATS:
                given = (config, file_format, source, folder, rounds)
                seconds = measure_speed(*given)
                row = speed_row(config, file_format, seconds, volumes * slices)
                rows.append({**row, "seconds": seconds})
    print(table(rows))
    if options.json:
        report = {"environment": environment(), "results": rows}
        text = json.dumps(report, indent=2) + "\n"
        pathlib.Path(options.json).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
