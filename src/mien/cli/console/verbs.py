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
        if args and args[0] not in self.commands and self._is_its(args):
            args = [self.default, *args]
        return super().parse_args(ctx, args)

    def _is_its(self, args: list[str]) -> bool:
        return args != ["--help"] if self.takes_options else not args[0].startswith("-")
