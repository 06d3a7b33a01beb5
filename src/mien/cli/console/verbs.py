"""Verbs whose most common sub-command need not be typed."""

from __future__ import annotations

from typing import Any, ClassVar

from typer.core import TyperGroup


class DefaultVerb(TyperGroup):
    """A first word that is no sub-command belongs to `default`: `mien models NAME` is `mien models show NAME`."""

    default: ClassVar[str]
    takes_options: ClassVar[bool] = False
    """Whether an option before any sub-command is one of `default`, too; --help alone never is."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the sub-command before what belongs to it."""
        place = 0 if self.takes_options else self._first_word(ctx, args)
        if place < len(args) and args[place] not in self.commands and self._is_its(args, place):
            args = [*args[:place], self.default, *args[place:]]
        return super().parse_args(ctx, args)

    def _first_word(self, ctx: Any, args: list[str]) -> int:
        """The place after the group's own options, such as --language."""
        own = {name: option for option in self.get_params(ctx) for name in option.opts}
        place = 0
        while place < len(args) and (option := own.get(args[place].partition("=")[0])) is not None:
            has_value = "=" not in args[place] and not getattr(option, "is_flag", False)
            place += 1 + has_value
        return place

    def _is_its(self, args: list[str], place: int) -> bool:
        return args != ["--help"] if self.takes_options else not args[place].startswith("-")
