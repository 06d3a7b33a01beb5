"""Resources that must be closed: a `with` statement closes them whatever happens."""

from __future__ import annotations

from types import TracebackType
from typing import TypeVar

R = TypeVar("R", bound="Resource")


class Resource:
    """Base of everything that holds a model, a thread or a file; `close` may be called twice."""

    def close(self) -> None:
        """Release what is held."""
        raise NotImplementedError

    def __enter__(self: R) -> R:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
