"""Opens a trained model in a web page on this machine.

usage: python -m tf_bigan.explore --workdir=DIR [--name=value ...]

Draw or upload an image, see E(x), G(E(x)), where they differ, the nearest training images and how
strange the image is; move in latent space; go from one image to another. Ctrl-C ends it.
Defaults are in [brackets].
"""

import importlib.metadata
import os
import signal
import socket
import sys
import tempfile
import threading

from absl import flags

from tf_bigan.errors import UserError
from tf_bigan.run.config import Config
from tf_bigan.run.flags import Failure, command
from tf_bigan.run.quiet import load_tensorflow
from tf_bigan.run.workdir import Workdir

FLAGS = flags.FlagValues()
_NEEDED = 6  # the major version of gradio


def _define(define, name, default, text, group, **limits):
    return define(name, default, text, flag_values=FLAGS, module_name=group, **limits)


WORKDIR = _define(flags.DEFINE_string, "workdir", None, "the run of train.py to explore", "run")
DATA_DIR = _define(
    flags.DEFINE_string, "data_dir", None, "where its data sets are found [the run's]", "run"
)
MOST = _define(
    flags.DEFINE_integer,
    "most",
    20_000,
    "training images to search for neighbours, and held-out images to compare with [20000]",
    "run",
    lower_bound=2,
)
HOST = _define(
    flags.DEFINE_string,
    "host",
    "127.0.0.1",
    "the address to listen at; any other lets other machines in, without a password [127.0.0.1]",
    "page",
)
PORT = _define(
    flags.DEFINE_integer,
    "port",
    7860,
    "the port to listen at [7860]",
    "page",
    lower_bound=1,
    upper_bound=65535,
)


def main() -> int:
    if WORKDIR.value is None:
        raise UserError("give --workdir=DIR, the directory of a run of train.py")
    workdir = Workdir(WORKDIR.value)
    config = workdir.read_config()
    if DATA_DIR.value is not None:
        config = config.replace(data_dir=DATA_DIR.value)
    check_gradio()
    check_port(HOST.value, PORT.value)
    load_tensorflow()  # takes seconds: not before the command is right
    explorer = open_run(workdir, config)
    with tempfile.TemporaryDirectory(prefix="tf_bigan-") as uploads:
        # Read when gradio is imported: it then asks nobody for its newest version, and keeps
        # uploads, until they are read, where nothing is left of them in the end.
        os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_OFFLINE": "1"}
        os.environ["GRADIO_TEMP_DIR"] = uploads
        from tf_bigan.explore import page

        blocks = page.build(explorer)
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # clears up as for Ctrl-C
        page.serve(blocks, HOST.value, PORT.value)
        print(f"open http://{HOST.value}:{PORT.value} in a browser; Ctrl-C ends it", flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            return 0
        finally:
            blocks.close(verbose=False)


def check_gradio():
    """Raises Failure if there is no Gradio of the version that the page is written for."""
    try:
        version = importlib.metadata.version("gradio")
    except importlib.metadata.PackageNotFoundError:
        raise Failure('the page needs gradio: pip install -e ".[explore]"') from None
    if int(version.partition(".")[0]) != _NEEDED:
        raise Failure(
            f'the page needs gradio {_NEEDED}, not {version}: pip install --upgrade -e ".[explore]"'
        )


def check_port(host: str, port: int):
    """Raises UserError if nobody could listen there."""
    try:
        family, kind, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise UserError(
            f"cannot listen at {host}, port {port} ({error.strerror}): give another --port"
        ) from None


def open_run(workdir: Workdir, config: Config):
    """The `Explorer` of a run: its finished model, or its newest checkpoint."""
    import tf_bigan as tb
    from tf_bigan.explore.explorer import Explorer
    from tf_bigan.run.trained import Trained

    model = Trained(str(workdir.root), config, workdir).load()
    held_out = tb.run.build.load_held_out(config, tb.run.build.held_out_split(config))
    parts = (tb.run.build.load_split(config, "train"), held_out)
    channels = model.image_shape[-1]  # of two data sets either may be the grey one
    train, held_out = (tb.run.build.in_memory(part).converted(channels=channels) for part in parts)
    return Explorer(
        model, train, held_out, MOST.value, progress=lambda line: print(line, flush=True)
    )


if __name__ == "__main__":
    command(main, ["python -m tf_bigan.explore", *sys.argv[1:]], __doc__, FLAGS)
