"""What commands share: their parser, exit codes, messages that name options."""

import argparse
import os
import re
import sys

__all__ = [
    "add_data_options",
    "argument_parser",
    "exit_code",
    "in_flags",
]


class Parser(argparse.ArgumentParser):
    """A parser whose options `exit_code` knows, and names in messages.

    Attributes:
        presets: Dict by flag of defaults, a dict, that hold where the flag is
            given.
    """

    presets = {}

    def parse_args(self, args=None, namespace=None):
        _options.clear()
        return super().parse_args(args, namespace)

    def parse_known_args(self, args=None, namespace=None):
        words = sys.argv[1:] if args is None else args
        for flag, values in self.presets.items():
            if flag in words:
                self.set_defaults(**values)
        found = super().parse_known_args(args, namespace)
        _options.extend(self._actions)  # Commands have a parser of their own.
        return found


# The options of the command that runs in this process, one process for each.
_options = []


def in_flags(text):
    """A message of the library, as whoever typed the command knows things.

    Args:
        text: String, which names arguments: "argument `leading`", or
            "leading='slices'".

    Returns:
        A string that names options instead: "argument --leading", or
        "--leading slices".
    """
    flags = {}
    for option in _options:
        if option.option_strings:
            value = str(option.const) if option.nargs == 0 else None
            flags[option.dest, value] = option.option_strings[-1]
            flags.setdefault((option.dest, None), option.option_strings[-1])

    def named(match):
        name, value = match[1] or match[2], match[3]
        flag = flags.get((name, value))
        if flag:
            return flag
        flag = flags.get((name, None)) or flags.get((f"{name}s", None))
        if flag is None:
            return match[0]
        if value is None:
            return flag
        if value == "None":
            return f"no {flag}"
        return f"{flag} {re.sub('[][(),]', '', value)}".replace("'", "")

    value = r"'[^']*'|-?\w+(?:[.-]\w+)*|\([^()]*\)|\[[^][]*\]"
    text = re.sub(rf"`(\w+)`|\b(\w+)=({value})", named, text)
    return re.sub(r"(--[\w-]+) \(\1\)", r"\1", text)  # It was named already.


def argument_parser(doc):
    """Parser whose help is the docstring of the script.

    Args:
        doc: String. The first paragraph becomes the description, the others,
            as they stand, the epilog.
    """
    description, _, epilog = doc.partition("\n\n")
    return Parser(
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def add_data_options(parser, default=None):
    """Add `--data` and `--data-dir`, for `loupe_tf.datasets.load_splits`.

    Args:
        parser: `argparse.ArgumentParser`.
        default: (Optional) string, of `--data`.
    """
    parser.add_argument(
        "--data",
        default=default,
        help="name of a prepared TFDS data set with the features `image` and "
        "`volume`, such as fastmri_slices/knee_singlecoil (mni_brain is "
        "simulated if it is not there), or a .npy or .npz file or a folder of "
        "them, each array a volume (slices, H, W)"
        + (" (%(default)s)" if default else ""),
    )
    parser.add_argument(
        "--data-dir",
        metavar="DIR",
        help="where TFDS keeps its data (default: its own)",
    )


def exit_code(
    function,
    *arguments,
    errors=(ValueError, ImportError, OSError),
    interrupted="Stopped. The same command goes on from here.",
):
    """Run what a script does, and tell what the script ends with.

    Args:
        function: Callable, with its `arguments`.
        errors: Exceptions that whoever typed the command can mend: their
            message is printed instead of a traceback, with options in place of
            arguments.
        interrupted: String, printed after Ctrl-C.

    Returns:
        0, 2 after one of the errors, 1 if another worker was lost
        (`loupe_tf.distribution.ReplicaError`) or the reader of the output has
        left, 130 after Ctrl-C.
    """
    try:
        function(*arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read along has had enough, as `head` does. Python would say
        # so once more when it closes the stream.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except errors as error:
        print(f"error: {in_flags(str(error))}", file=sys.stderr)
        return 2
    except RuntimeError as error:
        # Where that module was not imported, no worker was lost.
        replicas = sys.modules.get("loupe_tf.distribution.replicas")
        if replicas is None or not isinstance(error, replicas.ReplicaError):
            raise
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"\n{interrupted}", file=sys.stderr)
        return 130
    return 0
