"""Data read from files, checked against a dataclass by pydantic; errors become one sentence of our own.

pydantic is imported only when the first file is checked: `import mien` does without it.
"""

from __future__ import annotations

import functools
import json
import re
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from annotated_types import Predicate

from mien.errors import UnknownName

if TYPE_CHECKING:
    from pydantic import TypeAdapter
    from pydantic_core import ErrorDetails

T = TypeVar("T")


def _has_words(text: str) -> bool:
    return bool(text.strip())


Text = Annotated[str, Predicate(_has_words)]
"""A string that is not blank."""

_WANTED = {
    "string_type": "a string",
    "string_too_short": "a non-empty string",
    "predicate_failed": "a non-empty string",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "dict_type": "a table of names and values",
    "dataclass_type": "a table of settings",
    "greater_than": "above {gt:.12g}",
    "greater_than_equal": "at least {ge:.12g}",
    "less_than": "below {lt:.12g}",
    "less_than_equal": "at most {le:.12g}",
    "too_long": "a list of at most {max_length}",
    "too_short": "a list of at least {min_length}",
}
"""What was expected, by pydantic's name for the error; the words in braces are its limits."""

_FIRST = ("unexpected_keyword_argument", "literal_error", "missing")
"""Reported before other errors: a misspelt key is also missing under its correct name."""

_QUOTED = re.compile(r"'((?:[^'\\]|\\.)*)'")
_LONGEST = 200
"""At most this many characters of a value are repeated in a message."""


def checked(
    cls: type[T],
    data: object,
    *,
    whole: str,
    wrong: Callable[[str], Exception],
    noun: str = "setting",
    others: bool = False,
) -> T:
    """A dataclass made from plain data, as TOML and JSON give it.

    Nothing is guessed: unknown keys, a string for a number or `true` for 1 are refused; a whole number for a float is
    accepted. Lists become tuples. Limits are those of `annotated_types` in the annotations, besides `__post_init__`.

    Args:
        cls: the dataclass; those inside it are checked likewise.
        data: e.g. what `tomllib.loads` or `json.loads` gave.
        whole: what the data is, one word such as "recipe".
        wrong: makes the error from a sentence.
        noun: the word for its keys.
        others: whether unknown keys belong to somebody else and are ignored.

    Raises:
        UnknownName: a key, or one of several possible values, has an unknown name; the nearest valid one is named.
        Exception: from `wrong`: a value is missing, of another type or beyond its limits.
    """
    from pydantic import ValidationError

    target: Any = cls
    try:
        made: T = _adapter(target, others).validate_json(json.dumps([data], default=_foreign))[0]
        return made
    except ValidationError as exc:
        errors = exc.errors(include_url=False)
    error = min(errors, key=lambda each: _FIRST.index(each["type"]) if each["type"] in _FIRST else len(_FIRST))
    loc = error["loc"][1:]
    if error["type"] == "unexpected_keyword_argument":
        raise UnknownName(f"{noun} in {_place(whole, *loc[:-1])}", str(loc[-1]), _names(cls, loc[:-1]))
    if error["type"] == "literal_error" and isinstance(error["input"], str):
        raise UnknownName(_place(whole, *loc), error["input"], _QUOTED.findall(error["ctx"]["expected"]))
    raise wrong(_sentence(error, whole))


def _sentence(error: ErrorDetails, whole: str) -> str:
    kind, context = error["type"], error.get("ctx", {})
    place = _place(*error["loc"][1:])
    if kind == "value_error":  # of a __post_init__
        fault = str(context["error"])
        return f"{place}{' ' if fault.startswith('must be ') else ': '}{fault}".removeprefix(": ")
    if kind == "missing":
        is_item = isinstance(error["loc"][-1], int)
        return f"{place} is missing in {_shown(error['input'])}" if is_item else f"{place} is missing"
    if kind == "literal_error":
        wanted = f"one of {', '.join(_QUOTED.findall(context['expected']))}"
    else:
        wanted = _WANTED.get(kind, f"valid ({error['msg']})").format(**context)
    return f"{place or whole} must be {wanted}, got {_shown(error['input'])}"


@functools.cache
def _adapter(cls: Any, others: bool) -> TypeAdapter[tuple[Any]]:
    from pydantic import TypeAdapter

    # In a tuple, because a dataclass itself takes only its own configuration.
    in_tuple: Any = types.GenericAlias(tuple, (cls,))
    extra: Literal["ignore", "forbid"] = "ignore" if others else "forbid"
    return TypeAdapter(in_tuple, config={"extra": extra, "strict": True, "allow_inf_nan": False})


def _foreign(value: object) -> dict[str, str]:
    """Dates and times of TOML, as something that no setting accepts."""
    return {type(value).__name__: str(value)}


def _place(*loc: str | int) -> str:
    """E.g. "network.widths[0]"."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in loc).removeprefix(".")


def _names(cls: Any, loc: Sequence[str | int]) -> list[str]:
    """Names of the fields of the dataclass found there."""
    for step in loc:
        if is_dataclass(cls):
            cls = typing.get_type_hints(cls)[str(step)]
        else:  # a tuple of them, or a mapping to them
            cls = typing.get_args(cls)[-1 if issubclass(typing.get_origin(cls) or object, Mapping) else 0]
        if isinstance(cls, types.UnionType):
            cls = next(one for one in typing.get_args(cls) if one is not types.NoneType)
    return [field.name for field in fields(cls)]


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
