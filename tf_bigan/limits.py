"""The intervals that a system's hyperparameters must be in."""

from collections.abc import Mapping
from numbers import Real

from tf_bigan.errors import UserError


def check_limits(system: type, values: Mapping[str, object]):
    """Refuses hyperparameters that make no sense, before they make NaNs.

    Args:
        system: its `limits` give a name's interval, "[0, inf)" where they give none. What is no
            number, or has a default outside of the interval, is not looked at.
        values: name -> value.

    Raises:
        UserError: a value is out of its limits.
    """
    for name, value in values.items():
        default, limits = system.hyperparameters[name], system.limits.get(name, "[0, inf)")
        numbers = isinstance(value, Real) and isinstance(default, Real)
        if numbers and _within(default, limits) and not _within(value, limits):
            raise UserError(f"{system.__name__}: {name}={value}: it must be in {limits}")


def _within(value: float, interval: str) -> bool:
    """Whether a number, which may be NaN, is in an interval like "[0, 1)"."""
    low, high = map(float, interval[1:-1].split(","))
    above = low <= value if interval[0] == "[" else low < value
    return above and (value <= high if interval[-1] == "]" else value < high)
