"""Every error that mien raises on purpose.

MienError
├── InputError              what was given cannot be used
│   ├── UnreadableMedia     a photo or video is missing, empty, damaged or of an unknown kind
│   │   └── TooManyPixels   it is larger than the limit
│   ├── UnknownName         no task, model, label, recipe or option has this name
│   ├── InvalidOption       the value of an option makes no sense, or two options contradict each other
│   └── DataError           a data set does not have the expected form
├── ModelError              a model folder is damaged, incomplete or cannot be run
├── OutputError             a result cannot be written
│   ├── RefusedOutput       it would replace something, or another run is writing it
│   └── ReaderLeft          the program that reads a result has closed it
├── RecipeError             a training recipe or a responses file is not valid
├── TrainingStopped         a training run cannot go on
└── MissingExtra            a part of mien is not installed; also an ImportError

Each message is one sentence (or two): what was expected, what came, what to do. Errors from other libraries are
mapped to these where they enter, and all of them can be pickled, so worker processes can pass them on.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

_LONGEST = 200
"""At most this many characters of an input are repeated in a message."""


class MienError(Exception):
    """Base of all errors raised on purpose; `exit_code` is what a command ends with."""

    exit_code = 1


class InputError(MienError):
    """What was given cannot be used."""


class UnreadableMedia(InputError):
    """A photo or video is missing, empty, damaged or of an unknown kind."""


class TooManyPixels(UnreadableMedia):
    """A photo or video has more pixels than the limit; it was not decoded."""


class UnknownName(InputError):
    """No such task, model, label, recipe or option; the message names the nearest valid one.

    Args:
        kind: what it should be the name of.
        name: the unknown one.
        valid: the names that are known.
        elsewhere: names that are valid in another place, and how they are written there; not listed, but suggested.
    """

    exit_code = 2

    def __init__(self, kind: str, name: str, valid: Iterable[str], elsewhere: Mapping[str, str] | None = None) -> None:
        self.kind = kind
        self.name = name = str(name)  # NumPy's strings show their type in a sentence
        self.valid = tuple(map(str, valid))
        self.elsewhere = dict(elsewhere or {})
        short = name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"
        near = difflib.get_close_matches(short, (*self.valid, *self.elsewhere), n=1, cutoff=0.5)
        meant = "" if not near else repr(near[0]) if near[0] in self.valid else self.elsewhere[near[0]]
        hint = f" Did you mean {meant}?" if near else ""
        super().__init__(f"There is no {kind} {short!r}; available: {', '.join(self.valid) or 'none'}.{hint}")

    def __reduce__(self) -> tuple[type[UnknownName], tuple[str, str, tuple[str, ...], dict[str, str]]]:
        return UnknownName, (self.kind, self.name, self.valid, self.elsewhere)


class InvalidOption(InputError):
    """The value of an option makes no sense, or two options contradict each other."""

    exit_code = 2


class DataError(InputError):
    """A data set does not have the expected form."""


class ModelError(MienError):
    """A model folder is damaged, incomplete or cannot be run."""


class OutputError(MienError):
    """A result cannot be written."""


class RefusedOutput(OutputError):
    """A result would replace an input, an existing file, or another result; nothing was written."""

    exit_code = 2


class ReaderLeft(OutputError):
    """The program that read a result (`head`, say) has closed it."""


class RecipeError(MienError):
    """A training recipe or a responses file is not valid."""

    exit_code = 2


class TrainingStopped(MienError):
    """A training run cannot go on; what it finished stays in its folder."""


class MissingExtra(MienError, ImportError):
    """A part of mien is not installed; raised by `mien.extras`, but not for a fault inside an installed package.

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
