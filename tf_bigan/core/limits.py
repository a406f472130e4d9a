"""The kinds of values that a system's hyperparameters take, and the intervals of its numbers."""

from collections.abc import Mapping
from numbers import Integral, Real

import numpy as np

from tf_bigan.errors import UserError, did_you_mean

_KINDS = {"bool": (bool, np.bool_), "int": (Integral,), "float": (Real,), "str": (str,)}


def check_limits(system: type, values: Mapping[str, object]):
    """Refuses hyperparameters that make no sense, before they make NaNs.

    Args:
        system: its `hyperparameters` give the defaults, whose kind a value must have: a whole
            number will do for a float. Its `limits` give a name's choices, or a number's interval,
            "[0, inf)" where they give none; a default outside of it frees the number from it.
        values: name -> value.

    Raises:
        UserError: a value is of another kind, or out of its limits.
    """
    for name, value in values.items():
        default, limits = system.hyperparameters[name], system.limits.get(name, "[0, inf)")
        what = f"{system.__name__}: {name}={value}"
        kind = type(default).__name__
        if kind in _KINDS and not is_of_kind(value, kind):
            raise UserError(f"{what}: it must be {'an' if kind == 'int' else 'a'} {kind}")
        if isinstance(limits, tuple) and value not in limits:
            raise UserError(f"{what} is unknown{did_you_mean(str(value), limits)}")
        if kind in ("int", "float") and _within(default, limits) and not _within(value, limits):
            raise UserError(f"{what}: it must be in {limits}")


def is_of_kind(value: object, kind: str) -> bool:
    """Whether a value, of Python or NumPy, is a bool, int, float (a whole one will do) or str."""
    truth = isinstance(value, _KINDS["bool"])  # which Python takes for a number
    return isinstance(value, _KINDS[kind]) and truth == (kind == "bool")


def _within(value: float, interval: str) -> bool:
    """Whether a number, which may be NaN, is in an interval like "[0, 1)"."""
    low, high = map(float, interval[1:-1].split(","))
    above = low <= value if interval[0] == "[" else low < value
    return above and (value <= high if interval[-1] == "]" else value < high)
