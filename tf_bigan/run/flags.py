"""The command line: absl flags made from `Config`, with a grouped --help and one-line errors."""

import dataclasses
import gc
import os
import re
import signal
import sys
import textwrap
import typing
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, NoReturn

import tensorflow as tf
from absl import flags

from tf_bigan.constraints import parts_of
from tf_bigan.core.backend import use_defaults
from tf_bigan.data import FROM_PATH
from tf_bigan.data.home import expanded
from tf_bigan.errors import UserError
from tf_bigan.run.config import Config
from tf_bigan.run.presets import PRESETS, combined, default_preset, preset
from tf_bigan.run.quiet import line_start, plain_output

_DEFINE = {
    bool: flags.DEFINE_boolean,
    int: flags.DEFINE_integer,
    float: flags.DEFINE_float,
    str: flags.DEFINE_string,
}
# Python's words for a value that is no number.
_NO_NUMBER = {
    r"invalid literal for int\(\).*": "not a whole number",
    r"could not convert string to float.*": "not a number",
}
_HELP = {"--help", "-h", "-help", "--helpfull", "--helpshort"}
_NAME_WIDTH, _TEXT_WIDTH = 24, 72


class Failure(Exception):
    """A failure of a valid command: one line, and exit status 1."""


def define_config_flags(values: flags.FlagValues):
    """Defines --preset and a flag for each field of `Config`; None means not given."""
    text = f"a named set of options; any flag overrides it ({' | '.join(PRESETS)})"
    flags.DEFINE_string("preset", None, text, flag_values=values, module_name="data")
    define_options(values, [option.name for option in dataclasses.fields(Config)])
    flags.DEFINE_alias("source_dataset", "dataset", values, "data")


def define_options(values: flags.FlagValues, names: Collection[str]):
    """Defines a flag for each of the named fields of `Config`; None means not given."""
    annotations = typing.get_type_hints(Config, include_extras=True)
    for option in dataclasses.fields(Config):
        if option.name not in names:
            continue
        kind, _, choices, _ = parts_of(annotations[option.name])
        text = option.metadata["help"]
        if choices:
            kind = type(choices[0])
            text += f" ({' | '.join(map(str, choices))})"
        if option.default is not None and option.default is not False:
            text += f" [{option.default}]"
        group = option.metadata["group"]
        _DEFINE[kind](option.name, None, text, flag_values=values, module_name=group)


def definer(values: flags.FlagValues) -> Callable[..., Any]:
    """A function (DEFINE of absl, name, default, text, group, **bounds) that defines a flag."""

    def define(kind, name: str, default, text: str, group: str, **bounds):
        return kind(name, default, text, flag_values=values, module_name=group, **bounds)

    return define


def define_trained_flags(values: flags.FlagValues):
    """Defines --workdir and --model, the trained model that a command uses."""
    for name, text in {
        "workdir": "the run: its model, or its newest checkpoint",
        "model": "a .keras file instead, in a run or not",
    }.items():
        flags.DEFINE_string(name, None, text, flag_values=values, module_name="model")


def trained_path(values: flags.FlagValues) -> str:
    """The run or file that --workdir or --model gives. Raises UserError unless one of them does."""
    workdir, model = values["workdir"].value, values["model"].value
    if bool(workdir) == bool(model):
        raise UserError("give either --workdir=DIR of a run or --model=FILE.keras")
    return workdir or model


def options_given(values: flags.FlagValues) -> dict[str, Any]:
    """The fields of `Config` that are flags on the command line, with absolute paths."""
    given: dict[str, Any] = {
        option.name: values[option.name].value
        for option in dataclasses.fields(Config)
        if values[option.name].present
    }
    for name in {"dataset", "target_dataset", "data_dir", "init_from"} & given.keys():
        given[name] = _absolute(given[name], is_dataset=name.endswith("dataset"))
    return given


def has_preset(values: flags.FlagValues) -> bool:
    """Whether there is a preset, given or of the data set."""
    dataset = options_given(values).get("dataset", Config.dataset)
    return values["preset"].value is not None or bool(default_preset(dataset))


def config_from_flags(values: flags.FlagValues, of_data: Mapping[str, Any] | None = None) -> Config:
    """Combines the given flags with --preset or the preset of the data set: `presets.combined`.

    Args:
        values: the flags.
        of_data: the options that follow from data without a preset.

    Raises:
        UserError: an unknown preset, or a value out of range.
    """
    given = options_given(values)
    name, dataset = values["preset"].value, given.get("dataset", Config.dataset)
    start = default_preset(dataset) if name is None else preset(name)
    start = start if of_data is None else of_data
    config = Config.from_dict(combined(start, given))
    if "latent_dim" in given and all(part[-1].isdigit() for part in config.prior.split("+")):
        raise UserError(
            f"latent_dim={config.latent_dim}: prior={config.prior} sets the latent dimension"
        )
    return config


def _absolute(path: str, is_dataset: bool) -> str:
    """The absolute path for config.json, valid from any directory."""
    kind, _, rest = path.partition(":")
    if not is_dataset:
        return path and os.path.abspath(expanded(path))
    return f"{kind}:{os.path.abspath(expanded(rest))}" if kind in FROM_PATH and rest else path


def flags_given(values: flags.FlagValues) -> list[str]:
    """The flags on the command line, each as one argument."""
    return [values[name].serialize() for name in values if values[name].present]


def spelling(command: str) -> str:
    """How to start a command, in the way in which this program was started."""
    started = Path(sys.argv[0])
    if started.name in ("train.py", "evaluate.py") and command in ("train", "evaluate"):
        return f"python {started.with_name(command)}.py"
    if started.parts[-2:] == ("tf_bigan", "__main__.py"):
        return f"python -m tf_bigan {command}"
    return f"tf-bigan {command}"


def command(
    main: Callable[[], int], argv: list[str], about: str | None, values: flags.FlagValues
) -> NoReturn:
    """Runs `run` and exits with its status, or with 1 if its output was lost.

    SIGTERM ends it as Ctrl-C does, so that nothing half written is left.
    """
    os.environ["MPLBACKEND"] = "agg"  # a notebook's backend may be missing here
    use_defaults()
    plain_output()
    stdout = sys.stdout
    signal.signal(signal.SIGTERM, _interrupt)
    status = run(main, argv, about, values)
    # A dataset's iterator that lives on in a cycle waits for ever for its threads, which cannot
    # call Python again once it exits.
    gc.collect()
    stdout.flush()
    sys.exit(status or int(getattr(stdout, "lost", None) is not None))


def _interrupt(number: int, frame) -> NoReturn:
    raise KeyboardInterrupt(number)


def run(
    main: Callable[[], int], argv: list[str], about: str | None, values: flags.FlagValues
) -> int:
    """Parses the flags and calls `main`; user errors are one line on stderr.

    Args:
        main: the command; its return value is the exit status.
        argv: the command line; its first element is the command's name in messages.
        about: the first text of --help, where the command is "tf-bigan NAME".
        values: the command's flags.

    Returns:
        The exit status: 2 for a wrong command, 1 for a later failure, 130 for Ctrl-C, 143 for
        SIGTERM.
    """
    script = argv[0]
    if _HELP & set(argv[1:]):
        usage = re.sub(r"tf-bigan (\w+)", lambda found: spelling(found[1]), about or "")
        print(_help(usage, values))
        return 0
    try:
        rest = values(argv)
        if len(rest) > 1:
            raise UserError(f"unexpected argument {rest[1]}: options are given as --name=value")
        return main()
    except flags.Error as error:
        text = str(error)
        for python, ours in _NO_NUMBER.items():
            text = re.sub(python, ours, text)
        message, status = f"{text} (see {script} --help)", 2
    except UserError as error:
        message, status = error, 2
    except Failure as error:
        message, status = error, 1
    except OSError as error:
        message, status = f"{error.filename or 'input or output'}: {error.strerror or error}", 1
    except (MemoryError, tf.errors.ResourceExhaustedError) as error:
        reason = first_line(error) or "no more can be had"
        message, status = f"out of memory: {reason}. Ask for fewer or smaller images", 1
    except KeyboardInterrupt as error:
        message, status = "interrupted", 128 + (*error.args, signal.SIGINT)[0]
    line = " ".join(str(message).split())
    print(f"{line_start()}{script}: {with_dashes(line, values)}", file=sys.stderr)
    return status


def first_line(error: Exception) -> str:
    """The first line of an error, without TensorFlow's names of nodes."""
    return re.sub(r"{{.*?}} ?", "", str(error)).strip().partition("\n")[0]


def with_dashes(message: str, values: flags.FlagValues) -> str:
    """Replaces `name=value` by `--name=value` if there is a flag of that name."""
    return re.sub(rf"(?<![\w\-./,=])(?=(?:{'|'.join(values)})=)", "--", message)


def _help(about: str, values: flags.FlagValues) -> str:
    lines = [about.strip()]
    for group, members in values.flags_by_module_dict().items():
        lines += ["", f"{group}:"]
        for flag in members:
            name = f"  --{'[no]' if flag.boolean else ''}{flag.name}"
            text = re.sub(r"^<.*?>: ", "", flag.help)  # absl's list of an enum's values
            first, *others = textwrap.wrap(text, _TEXT_WIDTH, break_on_hyphens=False)
            if len(name) < _NAME_WIDTH:
                name = f"{name:<{_NAME_WIDTH}}{first}"
            else:
                others = [first, *others]
            lines += [name, *(" " * _NAME_WIDTH + line for line in others)]
    return "\n".join(lines)
