"""Parser, exit codes and error messages that all commands share."""

import argparse
import ast
import contextlib
import difflib
import os
import re
import shlex
import sys
import warnings

__all__ = [
    "add_data_options",
    "argument_parser",
    "exit_code",
    "in_flags",
    "stands_for",
]


class Parser(argparse.ArgumentParser):
    """A parser whose options `exit_code` can name in messages.

    Attributes:
        presets: Dictionary from a flag to a dictionary of defaults, which apply
            if the flag is given.
    """

    presets = {}

    def __init__(self, *args, **kwargs):
        # The presets do not know an option that is cut short.
        super().__init__(*args, **{"allow_abbrev": False, **kwargs})

    def parse_args(self, args=None, namespace=None):
        _options.clear()
        _programs.clear()
        return super().parse_args(args, namespace)

    def parse_known_args(self, args=None, namespace=None):
        words = sys.argv[1:] if args is None else args
        for flag, values in self.presets.items():
            if flag in words:
                self.set_defaults(**values)
        found = super().parse_known_args(args, namespace)
        # Subcommands have their own parsers, which are done first.
        _options.extend(self._actions)
        _programs.append(self.prog)
        return found

    def error(self, message):
        """Exit with one sentence: the list of all options would hide it."""
        message += self._advice(message)
        program = _programs[0] if _programs else self.prog
        self.exit(2, f"{program}: error: {message}\nSee {program} --help\n")

    def _advice(self, message):
        """What argparse leaves out: words that are alike, names of values."""
        flags = [flag for each in _options for flag in each.option_strings]
        if unknown := re.search("unrecognized arguments: (.*)", message):
            words = re.findall(r"(?<!\S)--[\w-]+", unknown[1])
            return _did_you_mean(words, flags, 0.75)
        # Newer versions of Python leave out the second quotes.
        choice = re.search(
            r"invalid choice: '(.*)' \(choose from (.*)\)", message
        )
        if choice:
            words = re.findall("[^', ]+", choice[2])
            return _did_you_mean([choice[1]], words, 0.6)
        few = re.search(r"argument (\S*): expected .*arguments?$", message)
        if few:
            flag = few[1].rpartition("/")[2]
            for action in self._actions:
                if flag in action.option_strings:
                    return f": {_values_of(action)}"
        return ""


def _did_you_mean(words, known, cutoff):
    near = [difflib.get_close_matches(w, known, 1, cutoff) for w in words]
    near = [match for matches in near for match in matches]
    return f". Did you mean {', '.join(near)}?" if near else ""


def _values_of(action):
    """The values of an option, as its usage has them."""
    if isinstance(action.metavar, tuple):
        return " ".join(action.metavar)
    name = action.metavar or action.dest.upper()
    if action.metavar is None and action.choices is not None:
        name = f"{{{','.join(map(str, action.choices))}}}"
    count = action.nargs if isinstance(action.nargs, int) else 1
    return " ".join([name] * count)


# The options of the command; each command runs in its own process.
_options = []
# The innermost command first.
_programs = []


def stands_for(action, *arguments):
    """Let messages name an option in the place of arguments of the library.

    Args:
        action: What `add_argument` returns.
        *arguments: Names of arguments that get the value of this option, but
            have other names than its `dest`.
    """
    action.stands_for = arguments


@contextlib.contextmanager
def meaning(**options):
    """Let messages of the errors within name other options.

    It is for arguments that get the value of one option in one place and of
    another in another, such as the path that is read and the one written.

    Args:
        **options: The `dest` of an option by the name of an argument; `None`
            if no option gives its value, which is then not advised either.
    """
    try:
        yield
    except ValueError as error:
        error.meaning = options
        raise


def in_flags(text, meaning=None):
    """Name command-line options instead of arguments in a message.

    Args:
        text: String, a message of the library that names arguments, such as
            "argument `leading`" or "leading='slices'".
        meaning: (Optional) dictionary, see the function `meaning`.

    Returns:
        A string that names options instead, such as "argument --leading" or
        "--leading slices", and others as the usage does, such as MASK. See also
        `stands_for`.
    """
    meaning = meaning or {}
    flags = {}
    for option in _options:
        if option.option_strings:
            value = str(option.const) if option.nargs == 0 else None
            flags[option.dest, value] = option.option_strings[-1]
        flags.setdefault((option.dest, None), _shown(option))
    for option in _options:
        for name in getattr(option, "stands_for", ()):
            flags.setdefault((name, None), _shown(option))
    for name, dest in meaning.items():
        if dest is None:
            text = re.sub(f", or an? `{name}`", "", text)

    def named(match):
        name, value = match[1] or match[2], match[3]
        name = meaning.get(name) or name
        flag = flags.get((name, value))
        if flag:
            return flag
        flag = flags.get((name, None)) or flags.get((f"{name}s", None))
        if flag is None:
            return match[0]
        if value is None:
            return flag
        if value in ("None", "False"):
            return f"no {flag}"
        if value == "True":
            return flag
        received = match.string[: match.start()].endswith("Received: ")
        if received and not flag.startswith("-"):
            return _in_words(value)  # It is typed without a name.
        return f"{flag} {_in_words(value)}"

    value = r"'[^']*'|[-~./]*\w+(?:[./-]+\w+)*|\([^()]*\)|\[[^][]*\]|{[^{}]*}"
    text = re.sub(rf"`(\w+)`|\b(\w+)=({value})", named, text)
    # Do not name it twice.
    return re.sub(r"(--[\w-]+(?: \w+)?) \(\1\)", r"\1", text)


def _shown(option):
    """The name of an option, or of a value that is typed without one."""
    if option.option_strings:
        return option.option_strings[-1]
    if isinstance(option.metavar, str):
        return option.metavar
    return option.dest.upper()


def _in_words(value):
    """Write a value of Python as it is typed in a shell."""
    if value.startswith("{"):
        try:
            pairs = ast.literal_eval(value).items()
        except (ValueError, SyntaxError, AttributeError):
            return value
        return " ".join(
            f"{k}={','.join(map(str, v)) if isinstance(v, list) else v}"
            for k, v in pairs
        )
    if value.startswith("'"):
        return shlex.quote(value[1:-1])
    return re.sub("[][(),']", "", value)


def argument_parser(doc):
    """Make a parser whose help is the docstring of the script.

    Args:
        doc: String. The first paragraph becomes the description. The others
            become the epilog, unchanged.
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
        default: (Optional) string, the default of `--data`.
    """
    data = parser.add_argument(
        "--data",
        default=default,
        metavar="DATA",
        help="a folder of .npy or .npz files or one such file, where each "
        "array is a volume (slices, H, W), of magnitudes or complex; or the "
        "name of a prepared TFDS data set with the features `image` and "
        "`volume`, such as fastmri_slices/knee_singlecoil (mni_brain is "
        "simulated if missing). Files are split by volume at random, three or "
        "more, and each volume is divided by its maximum; volumes of one "
        "patient may be separated, which `loupe-tf build --patient` avoids"
        + (" (default: %(default)s)" if default else ""),
    )
    stands_for(data, "path", "volumes")
    parser.add_argument(
        "--data-dir",
        metavar="DIR",
        help="where TFDS keeps its data (default: ~/tensorflow_datasets)",
    )


def exit_code(
    function,
    *arguments,
    errors=(ValueError, ImportError, OSError),
    interrupted="Stopped. The same command goes on from here.",
):
    """Run the work of a script, and return the exit code.

    Args:
        function: Callable, called with `arguments`.
        errors: Exceptions that the user can fix. Instead of a traceback, their
            message is printed, with options in place of arguments. Each
            `UserWarning` is printed in the same way.
        interrupted: String, printed after Ctrl-C.

    Returns:
        0 after success, 2 after one of `errors`, 130 after Ctrl-C, and 1 if
        another worker was lost (`loupe_tf.distribution.ReplicaError`) or if
        the reader of the output closed it.
    """
    before = warnings.formatwarning
    warnings.formatwarning = _format_warning
    try:
        function(*arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader closed the pipe, as `head` does. Python would report it
        # once more when it closes the stream.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except errors as error:
        text = in_flags(str(error), getattr(error, "meaning", None))
        if isinstance(error, FileNotFoundError) and error.filename:
            text = f"{error.strerror}: {error.filename}"
        print(f"error: {text}", file=sys.stderr)
        return 2
    except RuntimeError as error:
        # If that module was not imported, no worker was lost.
        replicas = sys.modules.get("loupe_tf.distribution.replicas")
        if replicas is None or not isinstance(error, replicas.ReplicaError):
            raise
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"\n{interrupted}", file=sys.stderr)
        return 130
    finally:
        warnings.formatwarning = before
    return 0


def _format_warning(message, category, *place):
    """Leave out the file and its line, which a user of a command won't mend."""
    if category is UserWarning:
        return f"warning: {in_flags(str(message))}\n"
    return _python_format(message, category, *place)


_python_format = warnings.formatwarning
