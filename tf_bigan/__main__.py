"""Adversarial feature learning with TensorFlow and Keras 3.

usage: tf-bigan COMMAND [--name=value ...]
"""

import sys
from pathlib import Path
from typing import NoReturn

from tf_bigan.detect import __main__ as detect
from tf_bigan.errors import did_you_mean
from tf_bigan.explore import __main__ as explore
from tf_bigan.export import __main__ as export
from tf_bigan.run import encode, evaluate, generate, reconstruct, train
from tf_bigan.run.flags import command, spelling

COMMANDS = {
    "train": train,
    "evaluate": evaluate,
    "generate": generate,
    "encode": encode,
    "reconstruct": reconstruct,
    "export": export,
    "explore": explore,
    "detect": detect,
}


def main(name: str | None = None) -> NoReturn:
    """Runs the command `name`, or by default the one named first on the command line."""
    if name is not None:
        return _run(name, [Path(sys.argv[0]).name, *sys.argv[1:]])
    name, program = (sys.argv[1:] or [""])[0], spelling("").strip()
    if name in ("--help", "-h"):
        print(f"{__doc__ or ''}\ncommands:")
        for known, module in COMMANDS.items():
            print(f"  {known:<12}{(module.__doc__ or '').partition(chr(10))[0]}")
        print(f"\n{program} COMMAND --help lists the options of a command.")
        sys.exit(0)
    if name not in COMMANDS:
        problem = f"no command {name}" if name else "no command given"
        sys.exit(f"{program}: {problem}{did_you_mean(name, COMMANDS)} (see {program} --help)")
    return _run(name, [f"tf-bigan {name}", *sys.argv[2:]])


def _run(name: str, argv: list[str]) -> NoReturn:
    module = COMMANDS[name]
    return command(module.main, argv, module.__doc__, module.FLAGS)


if __name__ == "__main__":
    main()
