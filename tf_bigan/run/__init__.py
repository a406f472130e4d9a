"""The implementation of the commands."""

from tf_bigan.run import (
    build,
    cluster,
    compare,
    config,
    measure,
    pictures,
    presets,
    trained,
    workdir,
)

__all__ = [
    "build",
    "cluster",
    "compare",
    "config",
    "measure",
    "pictures",
    "presets",
    "trained",
    "workdir",
]
