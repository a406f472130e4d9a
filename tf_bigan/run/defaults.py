"""Options that follow from the images, for data sets without a preset of their own."""

import math
from collections.abc import Mapping
from typing import Any

from tf_bigan import models
from tf_bigan.core.model import AdversarialModel
from tf_bigan.data import Description
from tf_bigan.errors import counted
from tf_bigan.run import presets
from tf_bigan.run.config import Config

LARGEST, SMALLEST = 64, 8  # of the chosen side in pixels
FEW = 10_000  # images, below which D is kept from learning them by heart
MINUTES = 15  # for a first result, on two cores
# Seconds of a step of the default system on two cores: for calls and dense layers, and for each
# pixel of a batch in convolutions of the usual width.
STEP, PIXEL = 0.01, 1e-6
USUAL_WIDTH, WIDTH_OF_COLOUR = 16, 32
SLOWER = {"residual": 4.0}  # families of networks, compared with `conv`
MOST_STEPS, MOST_EPOCHS = 20_000, 1_000
BATCH, SMALLER_BATCHES = 64, (32, 16)
FEW_STEPS = 5_000  # in that time: smaller batches, and so more steps, give better images
TIMES = 25  # evaluations, pictures and checkpoints of a run
APART = 300  # least seconds between two checkpoints of an epoch
AUGMENTATION = "translation+color:probability=0,target=0.6,images=100000"


def of_data(images: Description, given: Mapping[str, Any]) -> dict[str, Any]:
    """Options of a run on these images, which the given ones override.

    Size: images of one size with sides from 8 to 64 stay as they are; all others get the power of
    two nearest to the median of their shorter sides, from 8 to 64. Width: twice as many channels
    for colour. Batch: 64, or a fourth of a small set; for large images with the default networks 32
    or 16, so that the time is enough for 5,000 steps. Below 10,000 images D sees them with an
    adaptive augmentation, its loss is relativistic, which makes samples more diverse, and for
    `bigan` R1 is stronger and E and G learn faster. Epochs: as many as about 15 minutes on two
    cores have, when a step takes 0.01 s and 1 µs for each of its pixels, 2 µs for colour. The
    networks stay `conv`: residual ones need three to four times as long for a step.

    Args:
        images: what there is to train on.
        given: fields of `Config` set by the user.
    """
    chosen: dict[str, Any] = {}
    if images.size is None or not SMALLEST <= min(images.size) <= max(images.size) <= LARGEST:
        side = 2 ** round(math.log2(images.side))
        chosen["image_size"] = str(min(max(side, SMALLEST), LARGEST))
    if images.channels in (1, 3) and not given.get("target_dataset"):  # which may be in colour
        chosen["channels"] = images.channels
    chosen["resize"] = "crop"
    light = given.get("networks", Config.networks) == Config.networks
    if light and given.get("channels", images.channels) != 1:
        chosen["width"] = WIDTH_OF_COLOUR
    batch = BATCH
    for smaller in SMALLER_BATCHES if light else ():
        config = Config.from_dict({**chosen, **given, "batch_size": batch})
        if 60 * MINUTES / _seconds(config, images) < FEW_STEPS:
            batch = smaller
    chosen["batch_size"] = min(batch, 2 ** int(math.log2(max(1, images.num_examples // 4))))
    system = models.find(given.get("model", Config.model))
    has_logits = system.default_loss is not None and system.default_penalty is not None
    if images.num_examples < FEW and has_logits:
        chosen["augmentation"] = AUGMENTATION
        if system.default_loss == AdversarialModel.default_loss:
            chosen["loss"] = "relativistic"
        if light:
            chosen |= presets.system(given.get("model", Config.model)).of_few
            if "learning_rate" in given:  # of all players
                chosen.pop("player_rates", None)
    config = Config.from_dict({**chosen, **given})
    seconds = _seconds(config, images)
    steps = min(MOST_STEPS, MINUTES * 60 / seconds)
    steps_per_epoch = math.ceil(images.num_examples / config.batch_size)
    epochs = min(MOST_EPOCHS, max(1, round(steps / steps_per_epoch)))
    length = given.get("epochs") or epochs
    seldom = max(1, length // TIMES)  # an epoch of a few images is short
    saved = seldom * steps_per_epoch
    if seldom == 1:  # and one of very many images is long
        saved = min(saved, max(length * steps_per_epoch // TIMES, math.ceil(APART / seconds)))
    return chosen | {
        "epochs": epochs,
        "ema": 0.999,
        "eval_every": seldom,
        "picture_every": seldom,
        "checkpoint_steps": 0 if saved == steps_per_epoch else saved,
    }


def _seconds(config: Config, images: Description) -> float:
    """How long a step is taken to last."""
    pixels = config.batch_size * math.prod(config.size or images.size or (LARGEST, LARGEST))
    seconds = STEP + PIXEL * pixels * (config.width or USUAL_WIDTH) / USUAL_WIDTH
    return seconds * SLOWER.get(config.networks, 1.0)


def described(images: Description, options: Mapping[str, Any]) -> str:
    """One line about the images and the options that follow from them."""
    if images.size is None:
        size = f"of several sizes, the median side {images.side}"
    else:
        size = f"of {images.size[0]}×{images.size[1]}"
    text = " ".join(f"--{name}={value}" for name, value in options.items())
    return (
        f"settings of {counted(images.num_examples, 'training image')} {size}, about {MINUTES} "
        f"minutes on two cores: {text}"
    )
