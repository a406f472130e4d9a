"""E(x) for TensorBoard's embedding projector."""

import math
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tensorboard.plugins import projector

from tf_bigan.callbacks.pictures import visible
from tf_bigan.core.model import AdversarialModel
from tf_bigan.report.pictures import image_grid, save_png

_MOST_IMAGES = 1000
_LARGEST_SPRITE = 8192  # pixels on a side, the limit of TensorBoard


def write_projector(
    model: AdversarialModel,
    log_dir: str | os.PathLike,
    images: np.ndarray,
    labels: Sequence | None = None,
) -> None:
    """Writes E(x) of up to 1,000 images, with their labels and thumbnails.

    Args:
        model: a model with an encoder.
        log_dir: a directory with TensorBoard's event files.
        images: [N, H, W, C] in [0, 1].
        labels: one per image, shown by their `str`; or None.
    """
    height, width = images.shape[1:3]
    images = images[: min(_MOST_IMAGES, (_LARGEST_SPRITE // max(height, width)) ** 2)]
    config = projector.ProjectorConfig()
    embedding = config.embeddings.add(tensor_name="E(x)", tensor_path="embedding.tsv")
    np.savetxt(os.path.join(log_dir, "embedding.tsv"), model.encode(images), "%.6g", "\t")
    if labels is not None:
        embedding.metadata_path = "metadata.tsv"  # a single column has no header
        with open(os.path.join(log_dir, "metadata.tsv"), "w", encoding="utf-8") as file:
            file.writelines(f"{label}\n" for label in labels[: len(images)])
    embedding.sprite.image_path = "sprite.png"
    embedding.sprite.single_image_dim.extend([width, height])
    sprite = image_grid(visible(images), columns=math.ceil(math.sqrt(len(images))), pad=0)
    save_png(os.path.join(log_dir, "sprite.png"), sprite)
    # The plugin's own function fails for a path that is not UTF-8.
    Path(log_dir, "projector_config.pbtxt").write_text(str(config), encoding="utf-8")
