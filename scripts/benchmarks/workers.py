"""Processes that take steps in turn, one for each framework.

Frameworks share no process, since each would take the other's cores and
memory.
"""

import json
import os
import resource
import subprocess
import sys
import time

import numpy as np

WARM_UP_STEPS = 2


class Worker:
    """A process of a script, in which one framework takes steps.

    Args:
        script: Path of the script. It calls `serve` if it is given the option
            `--worker`, with the settings in JSON.
        framework: String, the name of a backend.
        **setting: Further settings; `steps` are the names of the steps.

    Attributes:
        start: Dict of facts, the answer of the process when it is ready.
    """

    def __init__(self, script, framework, **setting):
        self.what = f"{setting.get('network', script)} on {framework}"
        setting = {"framework": framework, **setting}
        self.process = subprocess.Popen(
            [sys.executable, script, "--worker", json.dumps(setting)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={
                **os.environ,
                "KERAS_BACKEND": framework,
                "TF_CPP_MIN_LOG_LEVEL": "3",
            },
            text=True,
        )
        self.start = self._answer()

    def take(self, step):
        """Take a step, and return its seconds."""
        self.process.stdin.write(f"{step}\n")
        self.process.stdin.flush()
        return self._answer()

    def close(self):
        """End the process, and return its peak memory in MiB."""
        self.process.stdin.close()
        peak = self._answer()
        self.process.wait()
        return peak

    def _answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"The process of {self.what} has ended.")
        return json.loads(line)


def serve(make, setting):
    """Run in the process of a `Worker`.

    Args:
        make: Callable that takes the settings by name and returns callables by
            the name of the step, and facts for `Worker.start`.
        setting: Dict.
    """
    output, sys.stdout = sys.stdout, sys.stderr

    def answer(value):
        print(json.dumps(value), file=output, flush=True)

    steps, start = make(**setting)
    start["before"] = peak_memory()
    for name in setting["steps"]:
        for _ in range(WARM_UP_STEPS):
            steps[name]()
    answer(start)
    for line in sys.stdin:
        begin = time.perf_counter()
        steps[line.strip()]()
        answer(time.perf_counter() - begin)
    answer(peak_memory())


def peak_memory():
    """The peak memory of this process so far, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def refuse_below_one(parser, options):
    """End with an error if an integer among the options is below 1."""
    for name, value in vars(options).items():
        if type(value) is int and value < 1:
            option = name.replace("_", "-")
            parser.error(f"--{option} must be at least 1, not {value}")


def take_in_turn(workers, steps, rounds):
    """Take all steps in random order, round after round, and close.

    Args:
        workers: Dict of `Worker` by name.
        steps: Names of steps.
        rounds: Integer.

    Returns:
        A dict `{step: {name: [seconds, one per round]}}`.
    """
    seconds = {step: {name: [] for name in workers} for step in steps}
    rng = np.random.default_rng(0)
    for _ in range(rounds):
        for step in steps:
            for name in rng.permutation(list(workers)):
                seconds[step][name].append(workers[name].take(step))
    for worker in workers.values():
        worker.close()
    return seconds


def quartiles(values):
    """Return the lower quartile, the median and the upper one."""
    return np.percentile(values, [25, 50, 75]).tolist()


def ratios(seconds, theirs):
    """Divide our seconds by theirs, round by round.

    Args:
        seconds: Dict `{step: {name: [seconds, one per round]}}`.
        theirs: String, the name that the others are compared with.

    Returns:
        A list of tuples `(step, name, our median, their median, quartiles of
        the ratios)`.
    """
    return [
        (
            step,
            name,
            float(np.median(taken)),
            float(np.median(times[theirs])),
            quartiles(np.divide(taken, times[theirs])),
        )
        for step, times in seconds.items()
        for name, taken in times.items()
        if name != theirs
    ]


def print_ratios(method, rows, theirs):
    """Print the rows of `ratios` as a table, in milliseconds."""
    line = "{:<10}{:<14}{:<12}{:>8}{:>9}{:>7}  {}".format
    print(line("method", "step", "backend", "ms", theirs, "ratio", ""))
    for step, name, ours, other, (low, ratio, high) in rows:
        ms = f"{1e3 * ours:.1f}", f"{1e3 * other:.1f}"
        spread = f"{low:.2f}-{high:.2f}"
        print(line(method, step, name, *ms, f"{ratio:.2f}", spread))


def relative_gap(ours, theirs):
    """Return the norm of the difference of two arrays, relative to theirs."""
    ours, theirs = np.array(ours), np.array(theirs)
    return float(np.linalg.norm(ours - theirs) / np.linalg.norm(theirs))
