"""Every error that mien raises on purpose.

MienError
├── InputError              what was given cannot be used
│   ├── UnreadableMedia     a photo or video is missing, empty, damaged or of an unknown kind
│   ├── UnknownName         no task, model, label, recipe or option has this name
│   └── DataError           a data set does not have the form it should have
├── ModelError              a model folder is damaged, incomplete or cannot be run
├── OutputError             a result cannot be written
│   ├── RefusedOutput       it would replace something, or somebody else is writing there
│   └── ReaderLeft          the program that reads a result has closed it
├── RecipeError             a training recipe or a file of responses says something it cannot mean
├── TrainingStopped         a training run cannot go on
└── MissingExtra            a part of mien that was not installed; an ImportError too

Each message is one sentence (or two): what was expected, what came, what to do. Errors of other libraries are
mapped to these where they enter, and all of them can be pickled, so that they cross from worker processes.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_LONGEST = 200
"""Characters of an input that a message repeats at most."""


class MienError(Exception):
    """Base of all errors raised on purpose; `exit_code` is what a command ends with."""

    exit_code = 1


class InputError(MienError):
    """What was given cannot be used."""


class UnreadableMedia(InputError):
    """A photo or video is missing, empty, damaged or of an unknown kind."""


class UnknownName(InputError):
    """No such task, model, label, recipe or option; the message names the nearest valid one."""

    exit_code = 2

    def __init__(self, kind: str, name: str, valid: Iterable[str]) -> None:
        self.kind = kind
        self.name = name
        self.valid = tuple(valid)
        short = name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"
        near = difflib.get_close_matches(short, self.valid, n=1, cutoff=0.5)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        super().__init__(f"There is no {kind} {short!r}; there is {', '.join(self.valid) or 'none'}.{hint}")

    def __reduce__(self) -> tuple[type[UnknownName], tuple[str, str, tuple[str, ...]]]:
        return UnknownName, (self.kind, self.name, self.valid)


class DataError(InputError):
    """A data set does not have the form it should have."""


class ModelError(MienError):
    """A model folder is damaged, incomplete or cannot be run."""


class OutputError(MienError):
    """A result cannot be written."""


class RefusedOutput(OutputError):
    """A result would replace an input, a file that is there, or another result; nothing was written."""

    exit_code = 2


class ReaderLeft(OutputError):
    """Whoever read a result (`head`, say) has closed it."""


class RecipeError(MienError):
    """A training recipe or a file of responses says something it cannot mean."""

    exit_code = 2


class TrainingStopped(MienError):
    """A training run cannot go on; what it finished stays in its folder."""


class MissingExtra(MienError, ImportError):
    """A part of mien that was not installed; `mien.extras` raises it. A fault inside an installed package is none.

    Args:
        extra: name of the extra, e.g. `train`.
        module: the module that could not be imported.
    """

    def __init__(self, extra: str, module: str) -> None:
        self.extra = extra
        self.module = module
        super().__init__(f"This needs {module}, which is not installed; run: pip install 'mien[{extra}]'", name=module)

    def __reduce__(self) -> tuple[type[MissingExtra], tuple[str, str]]:
        return MissingExtra, (self.extra, self.module)
