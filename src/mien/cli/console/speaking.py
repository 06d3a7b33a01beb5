"""--language: which language a verb speaks."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any, get_type_hints

import typer

from mien.words import choose, language, languages

LANGUAGE = Annotated[
    str | None,
    typer.Option(
        "--language",
        metavar="|".join(languages()),
        help="What language to speak. [default: MIEN_LANGUAGE, the system's, or English]",
        show_default=False,
    ),
]


def speaking(verb: Callable[..., None]) -> Callable[..., None]:
    """The verb with an option --language, which holds from then on for everything that this process says."""

    @functools.wraps(verb)
    def spoken(*args: Any, language: str | None = None, **others: Any) -> None:
        _speak(language)
        verb(*args, **others)

    hints = get_type_hints(verb, include_extras=True)
    own = [one.replace(annotation=hints[name]) for name, one in inspect.signature(verb).parameters.items()]
    option = inspect.Parameter("language", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=LANGUAGE)
    vars(spoken)["__signature__"] = inspect.Signature([*own, option], return_annotation=None)
    spoken.__annotations__ = {**hints, "language": LANGUAGE}
    return spoken


def _speak(asked: str | None) -> None:
    choose(asked)
    language()  # a wrong MIEN_LANGUAGE is refused before anything is read
