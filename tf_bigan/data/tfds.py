"""Image data sets of TensorFlow Datasets (TFDS), prepared or downloaded if possible."""

from __future__ import annotations

import http.client
import os
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from tf_bigan.data.home import expanded
from tf_bigan.data.streaming import StreamedImages
from tf_bigan.errors import UserError, did_you_mean

PARTS = ("train", "validation", "test")
KNOWN = ("digits", "mnist", "mnist_m", "folder:DIR", "npz:FILE", "idx:DIR")
CONNECT_SECONDS = 5.0
BUFFER_EXAMPLES = 10_000  # shuffle buffer, in encoded examples (TFDS stores them shuffled already),
BUFFER_BYTES = 2**28  # or limited to this many bytes,
BUFFER_LEAST = 1_000  # but at least this many examples


def open_tfds(name: str, data_dir: str | None = None) -> tuple[str, dict[str, StreamedImages]]:
    """(origin, {part: images}) of a TFDS image data set, downloaded if it is not prepared.

    Raises UserError for an unknown name, a data set without "image", or one that is not prepared
    and cannot be downloaded.
    """
    builder = find(name, data_dir)
    _image_feature(builder)
    if builder.is_prepared():
        return parts(builder)
    try:
        return download(builder)
    except UserError as error:
        raise UserError(
            f"{name} is not prepared in {_directory(data_dir)} and cannot be downloaded ({error}): "
            f"prepare it on a machine that can (tfds build {name}) and give data_dir=DIR, or use "
            f"dataset=npz:FILE, folder:DIR, or digits (no download)"
        ) from error


def find(name: str, data_dir: str | None = None):
    """The TFDS builder of this name, prepared or not. Does not use the network."""
    import tensorflow_datasets as tfds

    directory = _directory(data_dir)
    try:
        return tfds.builder(name, data_dir=directory)
    except AssertionError as error:  # a version that there is not
        raise UserError(f"dataset {name!r}: {str(error).splitlines()[0]}") from error
    except (tfds.core.DatasetNotFoundError, ValueError) as error:
        names = {*KNOWN, *tfds.list_builders(with_community_datasets=False)}
        otherwise = f"give the name of a TensorFlow data set, or one of {', '.join(KNOWN)}"
        hint = did_you_mean(name.lower(), names, otherwise)
        if os.path.exists(name):  # more likely than a data set of a similar name
            kind = "npz" if name.lower().endswith(".npz") else "folder"
            hint = f"; for the images in it use dataset={kind}:{name}"
        elif os.sep in name:
            hint = ": no file, folder or data set has this name"
        raise UserError(f"unknown dataset {name!r}{hint}") from error


def download(builder) -> tuple[str, dict[str, StreamedImages]]:
    """The `parts` of a builder, downloaded and prepared. Raises UserError if this fails."""
    urls = [urlsplit(url) for url in builder.url_infos or ()]
    for host in sorted({f"{url.scheme}://{url.netloc}/" for url in urls}):
        _check_reachable(host)
    try:
        builder.download_and_prepare()
    except Exception as error:  # downloads, disks and manual steps raise many types of errors
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UserError(f"the download of {builder.name} failed: {reason}") from error
    return parts(builder)


def _check_reachable(host: str) -> None:
    """Raises UserError if a host does not answer; TFDS itself would retry for minutes."""
    try:
        urllib.request.urlopen(host, timeout=CONNECT_SECONDS).close()
    except urllib.error.HTTPError:
        pass  # an error status is also an answer
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise UserError(f"{host} does not answer: {reason}") from error


def parts(builder) -> tuple[str, dict[str, StreamedImages]]:
    """(origin, {part: images}) of a prepared builder."""
    import tensorflow_datasets as tfds

    image, splits = _image_feature(builder), builder.info.splits
    if "train" not in splits:
        raise UserError(f"{builder.name} has no split 'train' (its splits: {', '.join(splits)})")
    label = dict(builder.info.features.items()).get("label")
    names = label.names if isinstance(label, tfds.features.ClassLabel) else None
    wanted = ("image", "label") if names else ("image",)
    read = {
        "shuffle_files": False,
        "decoders": tfds.decode.PartialDecoding(
            dict.fromkeys(wanted, True), decoders={"image": tfds.decode.SkipDecoding()}
        ),
        "read_config": tfds.ReadConfig(try_autocache=False),
    }

    def decode(record):
        return {**record, "image": image.decode_example(record["image"])}

    def stream(part):
        size = splits[part].num_examples
        example_bytes = max(1, splits[part].num_bytes // max(1, size))
        return StreamedImages(
            name=builder.name,
            records=builder.as_dataset(split=part, **read),
            num_examples=size,
            decode=decode,
            image_shape=image.shape,
            has_labels=bool(names),
            class_names=tuple(names) if names else None,
            buffer_size=min(
                size, BUFFER_EXAMPLES, max(BUFFER_LEAST, BUFFER_BYTES // example_bytes)
            ),
        )

    return f"TFDS, {builder.data_path}", {part: stream(part) for part in PARTS if part in splits}


def _image_feature(builder) -> Any:
    """The feature "image". Raises UserError if there is none with 8 bits."""
    import tensorflow_datasets as tfds

    features = dict(builder.info.features.items())
    image = features.get("image")
    if not isinstance(image, tfds.features.Image) or image.np_dtype != np.uint8:
        raise UserError(
            f"{builder.name} has no 8-bit feature 'image' (its features: {', '.join(features)}): "
            f"export its images and use dataset=npz:FILE or folder:DIR"
        )
    return image


def _directory(data_dir: str | None) -> Path:
    return expanded(data_dir or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets")
