"""Constraints on arguments, declared in annotations and checked in one place.

    def __init__(self, *, mask_rate: Annotated[float, "[0, 1)"] = 0.0, norm: Literal["l1", "l2"]):

Intervals have the mathematical notation: "[0, inf)" means finite and not negative. What is not a
number or a choice may have a function that raises UserError, as `augmentation.Views` has. The
annotations below are the common ones.
"""

import inspect
import types
import typing
from collections.abc import Callable, Mapping
from numbers import Integral, Real
from typing import Annotated, Literal

import numpy as np

from tf_bigan.errors import UserError, did_you_mean

NonNegative = Annotated[float, "[0, inf)"]
Positive = Annotated[float, "(0, inf)"]
Fraction = Annotated[float, "[0, 1]"]
Rate = Annotated[float, "[0, 1)"]
Count = Annotated[int, "[1, inf)"]
# The range of int32, the type of the seeds of TensorFlow's stateless random numbers.
Seed = Annotated[int, "[0, 2147483647]"]

_KINDS = {bool: (bool, np.bool_), int: (Integral,), float: (Real,), str: (str,)}


def check_arguments(function: Callable, values: Mapping[str, object], where: str = "") -> None:
    """Checks argument values against the annotations of a function or of a class's constructor.

    Args:
        function: the function or class. Arguments without a constraint are not checked.
        values: name -> value.
        where: prefix of the message, for example "BiGAN: ".

    Raises:
        UserError: a value has the wrong type, or is outside its interval or choices. The message
            names the argument as `name=value`.
    """
    function = inspect.unwrap(function.__init__ if isinstance(function, type) else function)
    hints = typing.get_type_hints(function, include_extras=True)
    for name, value in values.items():
        if name in hints:
            check(name, value, hints[name], where)


def check(name: str, value: object, annotation: object, where: str = "") -> None:
    """Checks one value; see `check_arguments`.

    check("batch_size", 0, Count)  # UserError: batch_size=0: it must be an int in [1, inf)
    """
    kind, interval, choices, optional = parts_of(annotation)
    if value is None and optional:
        return
    what = f"{where}{name}={value}"
    if choices and value not in choices:
        raise UserError(f"{what} is unknown{did_you_mean(str(value), map(str, choices))}")
    if kind is None:
        return
    fits = is_of_kind(value, kind)
    function = _function_of(annotation)  # no `:=`, with which AutoGraph warns
    if fits and function is not None:
        function(value)
    if not fits or interval and not within(typing.cast(float, value), interval):
        where = f" in {interval}" if interval else ""
        raise UserError(f"{what}: it must be {_with_article(kind)}{where}")


def _with_article(kind: type | None) -> str:
    return "an int" if kind is int else f"a {getattr(kind, '__name__', kind)}"


def is_of_kind(value: object, kind: type) -> bool:
    """Whether a Python or NumPy value is a bool, int, float (an integer is allowed) or str."""
    truth = isinstance(value, _KINDS[bool])  # Python's bool is also an int
    return isinstance(value, _KINDS[kind]) and truth == (kind is bool)


def within(value: float, interval: str) -> bool:
    """Whether a number, which may be NaN, is in an interval like "[0, 1)"."""
    low, high = map(float, interval[1:-1].split(","))
    above = low <= value if interval[0] == "[" else low < value
    return bool(above and (value <= high if interval[-1] == "]" else value < high))


def parts_of(annotation) -> tuple[type | None, str | None, tuple, bool]:
    """(one of `_KINDS`, interval, choices, whether None is allowed) of an annotation."""
    optional = False
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        members = typing.get_args(annotation)
        optional = type(None) in members
        rest = [member for member in members if member is not type(None)]
        if len(rest) != 1:
            return None, None, (), optional
        (annotation,) = rest
    interval = None
    if typing.get_origin(annotation) is Annotated:
        annotation, *notes = typing.get_args(annotation)
        interval = next((note for note in notes if isinstance(note, str)), None)
    if typing.get_origin(annotation) is Literal:
        return None, None, typing.get_args(annotation), optional
    kind = annotation if annotation in _KINDS else None
    return kind, interval, (), optional


def _function_of(annotation) -> Callable | None:
    """The function of an annotation that checks a value, if there is one."""
    return next(filter(callable, getattr(annotation, "__metadata__", ())), None)


def from_text(option: str, text: str, kinds: Mapping[str, type]) -> typing.Any:
    """An object of one of the named classes: "r1", or with arguments "r1:gamma=0.3,every_row=1".

    Args:
        option: what the error names.
        text: NAME or NAME:ARGUMENT=VALUE,...
        kinds: {name: class}. Every argument of a constructor has a default.

    Raises:
        UserError: an unknown name or argument, or a value that does not fit.
    """
    name, _, arguments = text.partition(":")
    if name not in kinds:
        raise UserError(f"{option}={name} is unknown{did_you_mean(name, kinds)}")
    return kinds[name](**arguments_from_text(option, arguments, kinds[name]))


def arguments_from_text(option: str, text: str, function: Callable) -> dict[str, typing.Any]:
    """Keyword arguments of a function, given as NAME=VALUE,... and checked by its annotations.

    Args:
        option: what the error names.
        text: as "gamma=0.3,every_row=1"; "" for none.
        function: whose arguments they are, or a class.

    Raises:
        UserError: an unknown name, or a value that does not meet its constraint.
    """
    annotations = typing.get_type_hints(
        function.__init__ if isinstance(function, type) else function, include_extras=True
    )
    parameters = inspect.signature(function).parameters.values()
    named = [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    annotations = {name: annotations[name] for name in named if name in annotations}
    arguments = {}
    for part in text.split(",") if text else ():
        name, _, value = part.partition("=")
        if name not in annotations:
            raise UserError(f"{option}: no argument {name}{did_you_mean(name, annotations)}")
        arguments[name] = parse(f"{option}: {name}", value, annotations[name])
    check_arguments(function, arguments, f"{option}: ")
    return arguments


def parse(name: str, text: str, annotation: object) -> object:
    """A value of an annotation's type, given as text: "true", "3", "0.5", "l1".

    Raises UserError if the text is of another type.
    """
    kind, _, _, optional = parts_of(annotation)
    if optional and text == "none":
        return None
    try:
        if kind is bool:
            return {"true": True, "false": False}[text.lower()]
        return text if kind is None else kind(text)
    except (KeyError, ValueError):
        raise UserError(f"{name}={text}: it must be {_with_article(kind)}") from None
