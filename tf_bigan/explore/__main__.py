"""Opens a trained model or detector in a web page on this machine.

usage: tf-bigan explore --workdir=DIR [--name=value ...]
       tf-bigan explore --detector=FILE [--name=value ...]

Of a run: draw or upload an image to see E(x), G(E(x)), a heat map of the differences, the nearest
training images and an anomaly score; move in latent space; interpolate between images. Of a
detector that `tf-bigan detect --pickle=FILE` wrote: drop a picture to see whether and where it is
strange, and the nearest normal images. Ctrl-C stops it. Defaults are in [brackets].
"""

import sys

from absl import flags

from tf_bigan.errors import UserError
from tf_bigan.explore import server
from tf_bigan.explore.detector.explorer import DetectorExplorer
from tf_bigan.explore.detector.explorer import load as load_detector
from tf_bigan.explore.explorer import Explorer
from tf_bigan.run import build
from tf_bigan.run.config import Config
from tf_bigan.run.flags import command, definer
from tf_bigan.run.trained import load
from tf_bigan.run.workdir import Workdir

FLAGS = flags.FlagValues()
_define = definer(FLAGS)
WORKDIR = _define(flags.DEFINE_string, "workdir", None, "the run to explore", "run")
DETECTOR = _define(
    flags.DEFINE_string,
    "detector",
    None,
    "a pickled BiGANDetector to explore instead; loading it runs the code in it",
    "detector",
)
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
    if bool(WORKDIR.value) == bool(DETECTOR.value):
        raise UserError("give either --workdir=DIR, a run, or --detector=FILE, a pickled detector")
    if DETECTOR.value:
        for flag in (DATA_DIR, MOST):
            if flag.present:
                raise UserError(f"--{flag.name} is for --workdir=DIR: leave it out for a detector")
        server.check(host, port)
        server.run(lambda: detector_page(DETECTOR.value), host, port)
        return 0
    workdir = Workdir(WORKDIR.value)
    config = workdir.read_config()
    if DATA_DIR.value is not None:
        config = config.replace(data_dir=DATA_DIR.value)
    server.check(host, port)
    server.run(lambda: run_page(workdir, config), host, port)
    return 0


def run_page(workdir: Workdir, config: Config):
    """The page of a run."""
    explorer = open_run(workdir, config)
    from tf_bigan.explore import page

    return page.build(explorer)


def detector_page(path: str):
    """The page of a detector in a file."""
    explorer = DetectorExplorer(load_detector(path), progress=_say)
    from tf_bigan.explore.detector import page

    return page.build(explorer)


def open_run(workdir: Workdir, config: Config) -> Explorer:
    """The `Explorer` of a run: its finished model, or its newest checkpoint."""
    model = load(workdir.root)
    held_out = build.load_held_out(config, build.held_out_split(config))
    parts = (build.load_split(config, "train"), held_out)
    channels = model.image_shape[-1]  # one of two data sets may be grey
    train, held_out = (build.in_memory(part).converted(channels=channels) for part in parts)
    return Explorer(
        model, train, held_out, MOST.value, config.resize, config.background, progress=_say
    )


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    command(main, ["tf-bigan explore", *sys.argv[1:]], __doc__, FLAGS)
