from __future__ import annotations

import json
from pathlib import Path

import pytest

from mien.errors import InputError, UnknownName
from mien.evaluation.peers import PeerFacts, peer_facts, write_peer_facts


def test_what_was_written_is_read(tmp_path: Path) -> None:
    facts = PeerFacts(
        name="fer",
        version="1.2",
        licence="MIT",
        parameters=58423,
        bytes=9,
        ms_1=0.5,
        ms_32=2,
        threads=1,
        notes=("So.",),
    )
    assert write_peer_facts(tmp_path / "fer.csv", facts) == tmp_path / "fer.json"
    assert peer_facts(tmp_path / "fer.csv") == facts


def test_no_file_and_silence_mean_unknown(tmp_path: Path) -> None:
    assert peer_facts(tmp_path / "peer.csv") == PeerFacts()
    (tmp_path / "peer.json").write_text('{"licence": "MIT", "ms_1": null}', "utf-8")
    assert peer_facts(tmp_path / "peer.csv") == PeerFacts(licence="MIT")


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"parameters": 1.5}, "parameters must be a whole number"),
        ({"parameters": True}, "parameters must be a whole number"),
        ({"bytes": -1}, "bytes must be at least 0, got -1"),
        ({"ms_1": "fast"}, "ms_1 must be a number, got"),
        ({"ms_32": float("nan")}, "ms_32 must be a finite number"),
        ({"licence": None}, "licence must be a string, got None"),
        ({"notes": "one"}, "notes must be a list, got"),
        ({"notes": [1]}, r"notes\[0\] must be a string, got 1"),
    ],
)
def test_a_wrong_entry_is_named(tmp_path: Path, entry: dict[str, object], words: str) -> None:
    (tmp_path / "peer.json").write_text(json.dumps(entry), "utf-8")
    with pytest.raises(InputError, match=words):
        peer_facts(tmp_path / "peer.csv")


def test_an_unknown_entry_is_refused(tmp_path: Path) -> None:
    (tmp_path / "peer.json").write_text('{"license": "MIT"}', "utf-8")
    with pytest.raises(UnknownName, match="Did you mean 'licence'"):
        peer_facts(tmp_path / "peer.csv")
