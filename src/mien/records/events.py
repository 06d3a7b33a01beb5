"""Events as JSON lines: what changed, rather than what every frame shows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mien.records.writers import RecordFile, has_keys, read_lines
from mien.scene import Event
from mien.wording import json_text


class EventWriter(RecordFile):
    """Events as JSON lines, one object each, as `Event.to_dict` gives it; written at once and whole."""

    def write(self, event: Event) -> None:
        """Add one event."""
        self._add(event_json(event) + b"\n")

    def _is_record(self, line: bytes) -> bool:
        return has_keys(line, "kind", "task", "label")


def event_json(event: Event) -> bytes:
    """One event as JSON in UTF-8, without the end of the line."""
    return json_text(event.to_dict(), allow_nan=False).encode()


def read_events(path: str | Path) -> Iterator[Event]:
    """Read back what `EventWriter` wrote, one event at a time.

    An incomplete last line, as a killed process may leave, is skipped with a warning in the log.

    Raises:
        UnreadableMedia: the file cannot be opened.
        DataError: a line is not an event.
    """
    yield from read_lines(path, Event.from_dict, "is not an event", "give a file that `mien live --events` wrote.")
