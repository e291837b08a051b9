"""Measure how many slices per second reach the training loop.

The benchmark compares `loupe_tf.datasets.pipeline` on
`fastmri_slices/knee_singlecoil` with fastMRI's own loader: `SliceDataset` with
`UnetDataTransform` and a random mask, in a PyTorch `DataLoader`. Both read the
same simulated volumes, shuffled, in batches of 16, in one process; fastMRI's
loader is also measured with two worker processes. They do different work. LOUPE
samples k-space inside the model, so its data set contains only images, prepared
once. In every epoch, fastMRI's loader reads the k-space of each slice, masks it
and computes the zero-filled image. This difference is the purpose of preparing
a data set, and the ratios measure it.

Every measurement uses a fresh process, which first builds its data set and then
reads one epoch after another. `pipeline` reads TFRecord files in every epoch.
`pipeline_cached` has `cache=True`: its later epochs come from memory, and its
first epoch includes the cost of filling it. `pipeline_unchecked` compares no
checksums and does not look for NaN, which shows the cost of these checks. The
files were just written, so the operating system may have them in memory, for
all readers. The script prints the median and the quartiles over rounds; in each
round, the readers run in random order.

    python scripts/benchmarks/read_dataset.py
    python scripts/benchmarks/read_dataset.py --quick

The limits are 10 times fastMRI's slices per second, in the first epoch, from
files, and from the second on, from memory. The exit code is 0 whether
they hold or not.

It needs fastMRI's package. The package requires torchvision, which may not
exist for your build of PyTorch and is not needed here:

    pip install --no-deps fastmri
    pip install torch pytorch-lightning torchmetrics pandas h5py xmltodict \\
        PyYAML runstats requests scikit-image
"""

import argparse
import gc
import importlib.metadata
import importlib.util
import json
import os
import pathlib
import platform
import resource
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"

import numpy as np

FULL = {
    "volumes": 16,
    "slices": 36,
    "size": (640, 368),
    "recon_size": (320, 320),
}
QUICK = {"volumes": 2, "slices": 3, "size": (32, 24), "recon_size": (16, 16)}
BATCH = 16
# Epochs after the first, of which the median counts.
EPOCHS = 4

READERS = (
    "pipeline",
    "pipeline_unchecked",
    "pipeline_cached",
    "fastmri",
    "fastmri_2_workers",
)
# Which epochs, of which two readers, and the limit.
RATIOS = [
    ("first", "pipeline", "fastmri", 10.0),
    ("later", "pipeline", "fastmri", None),
    ("first", "pipeline_cached", "fastmri", None),
    ("later", "pipeline_cached", "fastmri", 10.0),
    ("first", "pipeline", "fastmri_2_workers", None),
    ("later", "pipeline_cached", "fastmri_2_workers", None),
    ("first", "pipeline", "pipeline_unchecked", None),
    ("later", "pipeline", "pipeline_unchecked", None),
]


def make_data(folder, setting):
    """Simulate fastMRI's files and build the data set from them."""
    folder = pathlib.Path(folder)
    import tensorflow_datasets as tfds

    from loupe_tf.datasets import FastmriSlicesConfig, write_fastmri_dataset

    tfds.disable_progress_bar()
    volumes = {"singlecoil_train": setting["volumes"]}
    write_fastmri_dataset(
        folder / "files",
        volumes,
        slices=setting["slices"],
        size=setting["size"],
        recon_size=setting["recon_size"],
    )
    builder = tfds.builder(
        "fastmri_slices",
        config=FastmriSlicesConfig(
            "knee_singlecoil", size=setting["recon_size"][0]
        ),
        data_dir=folder / "prepared",
    )
    config = tfds.download.DownloadConfig(manual_dir=folder / "files")
    builder.download_and_prepare(download_config=config)
    return str(builder.data_path)


def open_pipeline(prepared, cache):
    import tensorflow_datasets as tfds

    from loupe_tf.datasets import pipeline

    builder = tfds.builder_from_directory(prepared)
    return pipeline(builder, "train", BATCH, cache=cache)


def check_nothing():
    """Disable the checks in this process, to measure their cost."""
    from loupe_tf.datasets import tfrecords
    from loupe_tf.datasets.feeding.split_images import SplitImages

    tfrecords._check = lambda *arguments: None
    SplitImages._check_finite = lambda *arguments: None


def open_fastmri(files, prepared, workers=0):
    from fastmri.data import SliceDataset
    from fastmri.data.subsample import RandomMaskFunc
    from fastmri.data.transforms import UnetDataTransform
    from torch.utils.data import DataLoader

    mask = RandomMaskFunc([0.08], [4])
    transform = UnetDataTransform("singlecoil", mask, use_seed=False)
    dataset = SliceDataset(
        pathlib.Path(files) / "singlecoil_train", "singlecoil", transform
    )
    return DataLoader(
        dataset,
        BATCH,
        shuffle=True,
        num_workers=workers,
        persistent_workers=workers > 0,
    )


def measure(reader, files, prepared):
    """Slices per second of each epoch, and peak MiB, of this process."""
    if reader == "pipeline_unchecked":
        check_nothing()
    if reader.startswith("pipeline"):
        batches = open_pipeline(prepared, cache=reader == "pipeline_cached")
    else:
        workers = 2 if reader == "fastmri_2_workers" else 0
        batches = open_fastmri(files, prepared, workers)
    rates = []
    for _ in range(1 + EPOCHS):
        begin = time.perf_counter()
        slices = sum(len(batch[0]) for batch in batches)
        rates.append(slices / (time.perf_counter() - begin))
    # The workers' peak is known when they have ended.
    del batches
    gc.collect()
    peak = peak_memory()
    return {"first": rates[0], "later": rates[1:], "slices": slices} | peak


def peak_memory():
    """The peak MiB of this process so far, and of its largest worker."""
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return {
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit,
        "peak_worker": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        / unit,
    }


def measure_all(files, prepared, rounds):
    """`{reader: [result of `measure`, one per round]}`."""
    results = {reader: [] for reader in READERS}
    rng = np.random.default_rng(0)
    for _ in range(rounds):
        for reader in rng.permutation(READERS).tolist():
            result = in_a_process(measure, reader, files, prepared)
            results[reader].append(result)
    return results


def in_a_process(function, *arguments):
    """Call a function of this file in a fresh process."""
    # The peak of memory begins at that of the process it comes from, so this
    # one stays small.
    call = json.dumps([function.__name__, *arguments])
    command = [sys.executable, __file__, "--call", call]
    run = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return json.loads(run.stdout.splitlines()[-1])


def rate(measured, epochs):
    """Slices per second of one measurement."""
    value = measured[epochs]
    return value if epochs == "first" else float(np.median(value))


def compare(results):
    """The rows of the table."""
    rows = []
    for epochs, reader, other, limit in RATIOS:
        ratios = [
            rate(ours, epochs) / rate(theirs, epochs)
            for ours, theirs in zip(results[reader], results[other])
        ]
        what = f"{epochs} epoch{'s' * (epochs == 'later')}, {reader} / {other}"
        low, median, high = np.percentile(ratios, [25, 50, 75]).tolist()
        row = {"what": what, "ratio": median, "quartiles": [low, high]}
        if limit is not None:
            row |= {"limit": limit, "held": median >= limit}
        rows.append(row)
    return rows


def table(setting, results, rows):
    lines = [
        "{volumes} volumes of {slices} slices, k-space {size[0]}×{size[1]}, "
        "images {recon_size[0]}×{recon_size[1]}, batch {batch}; {rounds} "
        "rounds".format(
            **setting, batch=BATCH, rounds=len(results["pipeline"])
        ),
        "",
        f"{'slices per second':<44}{'first epoch':>18}{'later':>18}  peak MiB",
    ]
    for reader, measured in results.items():
        cells = []
        for epochs in ("first", "later"):
            rates = [rate(m, epochs) for m in measured]
            low, median, high = np.percentile(rates, [25, 50, 75])
            cells.append(f"{median:.0f} ({low:.0f}-{high:.0f})")
        peak = f"{np.median([m['peak'] for m in measured]):.0f}"
        workers = np.median([m["peak_worker"] for m in measured])
        if reader.endswith("workers"):
            peak += f" + {workers:.0f} a worker"
        lines.append(f"  {reader:<42}{cells[0]:>18}{cells[1]:>18}  {peak}")
    line = "{:<54}{:>7}  {:<13}  {:>5}  {:<4}".format
    lines += ["", line("", "ratio", "quartiles", "limit", "held")]
    for row in rows:
        limit, held = "-", "-"
        if "limit" in row:
            limit, held = f"{row['limit']:.0f}", "yes" if row["held"] else "NO"
        digits = 2 if row["ratio"] < 2 else 1
        quartiles = "-".join(f"{q:.{digits}f}" for q in row["quartiles"])
        ratio = f"{row['ratio']:.{digits}f}"
        lines.append(line("  " + row["what"], ratio, quartiles, limit, held))
    return "\n".join(text.rstrip() for text in lines)


def environment():
    import keras
    import tensorflow as tf
    import torch

    import loupe_tf

    return (
        f"{platform.machine()}, {os.cpu_count()} cores; "
        f"loupe_tf {loupe_tf.__version__}, Keras {keras.version()}, "
        f"TensorFlow {tf.__version__}, PyTorch {torch.__version__}, "
        f"fastmri {importlib.metadata.version('fastmri')}, "
        f"NumPy {np.__version__}, Python {platform.python_version()}"
    )


def parse_arguments(arguments=None):
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n\n")[0],
        epilog=__doc__.split("\n\n", 1)[1],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--volumes", type=int, help="to simulate (16)")
    add("--slices", type=int, help="of a volume (36)")
    add("--rounds", type=int, default=5, help="(%(default)s)")
    add("--folder", help="for the data, 2 GB (a temporary one, removed)")
    add("--json", metavar="OUT", help="file for the ratios and every rate")
    add("--quick", action="store_true", help="a toy: does it run at all?")
    add("--call", type=json.loads, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    for name, value in vars(options).items():
        if type(value) is int and value < 1:
            parser.error(f"--{name} must be at least 1, not {value}")
    return options


def main(arguments=None):
    options = parse_arguments(arguments)
    if options.call:
        name, *rest = options.call
        functions = (environment, make_data, measure)
        function = {f.__name__: f for f in functions}[name]
        print(json.dumps(function(*rest)))
        return 0
    missing = [
        name
        for name in ("fastmri", "torch")
        if importlib.util.find_spec(name) is None
    ]
    if missing:
        how = __doc__.split("\n\n", 5)[-1]
        print(f"error: {' and '.join(missing)} not found", file=sys.stderr)
        print(f"\n{how}", file=sys.stderr, end="")
        return 2
    given = {"volumes": options.volumes, "slices": options.slices}
    setting = dict(QUICK if options.quick else FULL)
    setting |= {key: value for key, value in given.items() if value}
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or temporary
        where = in_a_process(environment)
        print(f"{where}\n", flush=True)
        prepared = in_a_process(make_data, folder, setting)
        files = os.path.join(folder, "files")
        results = measure_all(files, prepared, options.rounds)
    rows = compare(results)
    print(table(setting, results, rows))
    if options.json:
        report = {"environment": where, "setting": setting}
        report |= {"ratios": rows, "measured": results}
        text = json.dumps(report, indent=2) + "\n"
        pathlib.Path(options.json).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
