"""The command line: absl flags made from `Config`, with a grouped --help and one-line errors."""

import dataclasses
import sys
import textwrap
from collections.abc import Callable

from absl import flags

from tf_bigan.config import Config
from tf_bigan.errors import UserError
from tf_bigan.presets import PRESETS, default_preset, preset

_DEFINE = {"str": flags.DEFINE_string, "int": flags.DEFINE_integer, "float": flags.DEFINE_float}


def define_config_flags():
    """One flag for each field of `Config`, None where the user says nothing, and --preset."""
    flags.DEFINE_string("preset", None, _preset_help(), module_name="data")
    for option in dataclasses.fields(Config):
        kind = str(option.type).removesuffix(" | None")
        text, group = option.metadata["help"], option.metadata["group"]
        if option.metadata["choices"]:
            text += f" ({' | '.join(map(str, option.metadata['choices']))})"
        if option.default is not None:
            text += f" [{option.default}]"
        if kind == "bool":
            flags.DEFINE_boolean(option.name, None, text, module_name=group)
        else:
            _DEFINE[kind](option.name, None, text, module_name=group)


def _preset_help() -> str:
    return f"a named set of options, which any flag overrides ({' | '.join(PRESETS)})"


def config_from_flags() -> Config:
    """The defaults, overridden by the preset's options, overridden by the flags given.

    Raises:
        UserError: an unknown preset, or a value out of its range.
    """
    given = {
        option.name: flags.FLAGS[option.name].value
        for option in dataclasses.fields(Config)
        if flags.FLAGS[option.name].present
    }
    if flags.FLAGS.preset:
        base = preset(flags.FLAGS.preset)
    else:
        base = default_preset(given.get("dataset", "digits"))
    return Config.from_dict({**base, **given})


def run(main: Callable[[], int], argv: list[str], description: str) -> int:
    """Parses the flags and calls `main`; a user's mistake is one line on stderr and status 2.

    Args:
        main: the command; its return value is the exit status.
        argv: the command line, the script's name first.
        description: what --help says first.
    """
    script = argv[0].rsplit("/", 1)[-1]
    if {"--help", "-h", "-help", "--helpfull", "--helpshort"} & set(argv[1:]):
        print(_help(script, description))
        return 0
    try:
        rest = flags.FLAGS(argv)
        if len(rest) > 1:
            raise UserError(f"unexpected argument {rest[1]}: options are given as --name=value")
        return main()
    except flags.Error as error:
        message = str(error).replace("\n", " ")
        print(f"{script}: {message} (see {script} --help)", file=sys.stderr)
    except UserError as error:
        print(f"{script}: {error}", file=sys.stderr)
    return 2


def _help(script: str, description: str) -> str:
    lines = [textwrap.fill(description, 88), "", f"usage: python {script} [--name=value ...]"]
    for group, members in flags.FLAGS.flags_by_module_dict().items():
        if group in ("run", "data", "model", "training", "output"):
            lines += ["", f"{group}:"]
            for flag in members:
                text = textwrap.wrap(flag.help, 62)
                lines.append(f"  {'--' + flag.name:<22}{text[0]}")
                lines += [" " * 24 + line for line in text[1:]]
    return "\n".join(lines)
