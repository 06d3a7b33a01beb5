"""--language: which language a verb speaks."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any, get_type_hints

import typer

from mien.cli.console.plain import PlainOption, set_plain
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
    """The verb with options --language and --plain, which hold from then on for everything that this process says."""

    @functools.wraps(verb)
    def spoken(*args: Any, language: str | None = None, plain: bool = False, **others: Any) -> None:
        _speak(language)
        if plain:
            set_plain(True)
        verb(*args, **others)

    hints = get_type_hints(verb, include_extras=True)
    own = [one.replace(annotation=hints[name]) for name, one in inspect.signature(verb).parameters.items()]
    option = inspect.Parameter("language", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=LANGUAGE)
    plainly = inspect.Parameter("plain", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=PlainOption)
    vars(spoken)["__signature__"] = inspect.Signature([*own, option, plainly], return_annotation=None)
    spoken.__annotations__ = {**hints, "language": LANGUAGE, "plain": PlainOption}
    return spoken


def _speak(asked: str | None) -> None:
    if asked is not None:  # otherwise what was asked for before a sub-command holds
        choose(asked)
    language()  # a wrong MIEN_LANGUAGE is refused before anything is read
