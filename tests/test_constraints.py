"""Constraints: intervals, choices and kinds, read from annotations."""

import math
from typing import Annotated, Literal

import numpy as np
import pytest

from tf_bigan.constraints import Count, Rate, check, check_arguments
from tf_bigan.errors import UserError

inf, nan = math.inf, math.nan


@pytest.mark.parametrize(
    "interval, inside, outside",
    [
        ("[0, inf)", (0, 3.5), (-1e-9, inf, nan)),
        ("[0, 1]", (0, 1), (-1e-9, 1.001, nan)),
        ("(0, 1)", (1e-9, 0.999), (0, 1)),
        ("(-inf, inf)", (-3, 3), (-inf, inf, nan)),
    ],
)
def test_open_and_closed_ends(interval, inside, outside):
    for value in inside:
        check("rate", value, Annotated[float, interval])
    for value in outside:
        with pytest.raises(UserError, match=f"^rate={value}: it must be a float in "):
            check("rate", value, Annotated[float, interval])


@pytest.mark.parametrize(
    "kind, value", [(bool, np.True_), (int, np.int64(4)), (float, np.float32(1)), (float, 1)]
)
def test_numpys_values_are_of_the_kind(kind, value):
    check("option", value, kind)


@pytest.mark.parametrize(
    "kind, value, article",
    [(bool, 1, "a bool"), (int, 2.5, "an int"), (int, True, "an int"), (float, "x", "a float")],
)
def test_another_kind(kind, value, article):
    with pytest.raises(UserError, match=f"^Mine: option={value}: it must be {article}$"):
        check("option", value, kind, where="Mine: ")


def test_none_is_taken_where_it_is_allowed():
    check("width", None, Count | None)
    with pytest.raises(UserError, match="^width=0: it must be an int in "):
        check("width", 0, Count | None)
    with pytest.raises(UserError, match="^width=None: it must be an int in "):
        check("width", None, Count)


def test_choices():
    check("norm", "l1", Literal["l1", "l2"])
    with pytest.raises(UserError, match="^norm=l3 is unknown; did you mean l"):
        check("norm", "l3", Literal["l1", "l2"])


def test_the_arguments_of_a_function_and_of_a_class():
    def function(rate: Rate = 0.0, other=None):
        pass

    class Class:
        def __init__(self, rate: Rate = 0.0):
            pass

    for what in (function, Class):
        check_arguments(what, {"rate": 0.5, "unknown": -1})
        with pytest.raises(UserError, match="^rate=1"):
            check_arguments(what, {"rate": 1})


def test_a_function_checks_what_is_no_number_or_choice():
    def even(text):
        if len(text) % 2:
            raise UserError(f"text={text}: it must have an even length")

    check("text", "ab", Annotated[str, even])
    with pytest.raises(UserError, match="text=abc: it must have an even length"):
        check("text", "abc", Annotated[str, even])
    with pytest.raises(UserError, match="text=3: it must be a str"):
        check("text", 3, Annotated[str, even])
