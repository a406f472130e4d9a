"""Opens a trained model in a web page on this machine.

usage: tf-bigan explore --workdir=DIR [--name=value ...]

Draw or upload an image to see E(x), G(E(x)), a heat map of the differences, the nearest training
images and an anomaly score; move in latent space; interpolate between images. Ctrl-C stops it.
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
from tf_bigan.explore.explorer import Explorer
from tf_bigan.run import build
from tf_bigan.run.config import Config
from tf_bigan.run.flags import Failure, command
from tf_bigan.run.trained import load
from tf_bigan.run.workdir import Workdir

FLAGS = flags.FlagValues()
_GRADIO = 6  # the major version that the page is written for


def _define(define, name, default, text, group, **bounds):
    return define(name, default, text, flag_values=FLAGS, module_name=group, **bounds)


WORKDIR = _define(flags.DEFINE_string, "workdir", None, "the run to explore", "run")
DATA_DIR = _define(
    flags.DEFINE_string, "data_dir", None, "the directory of its data sets [the run's]", "run"
)
MOST = _define(
    flags.DEFINE_integer,
    "most",
    20_000,
    "number of training images to search, and of held-out images to compare with [20000]",
    "run",
    lower_bound=2,
)
HOST = _define(
    flags.DEFINE_string,
    "host",
    "127.0.0.1",
    "the address to listen on; others give other machines access without password [127.0.0.1]",
    "page",
)
PORT = _define(
    flags.DEFINE_integer,
    "port",
    7860,
    "the port to listen on [7860]",
    "page",
    lower_bound=1,
    upper_bound=65535,
)


def main() -> int:
    host, port = str(HOST.value), PORT.value
    if WORKDIR.value is None:
        raise UserError("give --workdir=DIR, the directory of a run")
    workdir = Workdir(WORKDIR.value)
    config = workdir.read_config()
    if DATA_DIR.value is not None:
        config = config.replace(data_dir=DATA_DIR.value)
    check_gradio()
    check_port(host, port)
    explorer = open_run(workdir, config)
    with tempfile.TemporaryDirectory(prefix="tf_bigan-") as uploads:
        # Gradio reads these when it is imported: no check for new versions, and a temporary
        # directory for uploads.
        os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_OFFLINE": "1"}
        os.environ["GRADIO_TEMP_DIR"] = uploads
        from tf_bigan.explore import page

        blocks = page.build(explorer)
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # cleans up as after Ctrl-C
        page.serve(blocks, host, port)
        print(f"open http://{host}:{port} in a browser; Ctrl-C stops it", flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            pass
        finally:
            blocks.close(verbose=False)
    return 0


def check_gradio() -> None:
    """Raises Failure if Gradio is not installed in the required version."""
    try:
        version = importlib.metadata.version("gradio")
    except importlib.metadata.PackageNotFoundError:
        raise Failure('the page needs gradio: pip install -e ".[explore]"') from None
    if int(version.partition(".")[0]) != _GRADIO:
        raise Failure(
            f'the page needs gradio {_GRADIO}, not {version}: pip install --upgrade -e ".[explore]"'
        )


def check_port(host: str, port: int) -> None:
    """Raises UserError if the address is not available."""
    try:
        family, kind, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise UserError(
            f"cannot listen on {host}, port {port} ({error.strerror}): use another --port"
        ) from None


def open_run(workdir: Workdir, config: Config) -> Explorer:
    """The `Explorer` of a run: its finished model, or its newest checkpoint."""
    model = load(workdir.root)
    held_out = build.load_held_out(config, build.held_out_split(config))
    parts = (build.load_split(config, "train"), held_out)
    channels = model.image_shape[-1]  # one of two data sets may be grey
    train, held_out = (build.in_memory(part).converted(channels=channels) for part in parts)
    return Explorer(
        model,
        train,
        held_out,
        MOST.value,
        config.resize,
        config.background,
        progress=lambda line: print(line, flush=True),
    )


if __name__ == "__main__":
    command(main, ["tf-bigan explore", *sys.argv[1:]], __doc__, FLAGS)
