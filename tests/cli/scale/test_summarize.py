from __future__ import annotations

import csv
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("duckdb", reason="DuckDB is not installed: pip install 'mien[scale]'")

Run = Callable[..., Any]


def test_a_batch_ends_in_a_table_and_a_page(mien: Run, photo: Path, clip: Path, tmp_path: Path) -> None:
    out, page = tmp_path / "out", tmp_path / "page.html"
    assert mien("batch", photo, clip, "--out", out, "--jobs", 1, "--task", "emotion").code == 0
    told = mien("summarize", out)
    assert (told.code, told.err) == (0, "")
    assert [row["file"] for row in csv.DictReader(told.out.splitlines())] == sorted([str(photo), str(clip)])
    both = mien("summarize", out, "--by", "file,person,minute", "--csv", tmp_path / "persons.csv", "--page", page)
    assert both.code == 0, both.err
    html = page.read_text()
    assert "By file, person, minute" in html
    assert "<svg" in html
    assert (tmp_path / "persons.csv").read_text().startswith("file,person,minute,kind,")
    again = mien("summarize", out, "--csv", tmp_path / "persons.csv")
    assert again.code == 2
    assert "already exists" in again.err
    refused = mien("summarize", out, "--by", "minute")
    assert refused.code == 2
    assert "group by file too" in refused.err
    assert mien("summarize", tmp_path / "none").code == 1


def test_plainly_each_fact_has_a_line(mien: Run, photo: Path, tmp_path: Path) -> None:
    out = tmp_path / os.fsdecode(b"caf\xe9 [1]")
    ended = mien("batch", photo, "--out", out, "--jobs", 1, "--task", "emotion")
    assert ended.code == 0, ended.err
    assert mien("batch", "--verify", "--out", out).code == 0
    told = mien("--plain", "summarize", out, "--by", "file,person")
    assert (told.code, told.err) == (0, "")
    lines = told.out.splitlines()
    assert f"{photo}, person 1, face, frames: 1" in lines
    assert all(line.startswith(f"{photo}, person 1, face, ") and ": " in line for line in lines)
    table = mien("--plain", "summarize", out, "--csv", "-")
    assert table.out.startswith("file,kind,")
    chinese = mien("--plain", "summarize", out, "--language", "zh")
    assert f"{photo}，脸，帧数：1" in chinese.out.splitlines()


def test_a_report_gives_the_same_table_of_one_session(mien: Run, clip: Path, tmp_path: Path) -> None:
    assert mien("look", clip, "--csv", tmp_path / "session.csv", "--task", "emotion", "-q").code == 0
    told = mien("report", tmp_path / "session.csv", "--csv", "-")
    assert told.code == 0, told.err
    rows = list(csv.DictReader(told.out.splitlines()))
    assert {row["kind"] for row in rows} == {"face"}
    assert float(rows[0]["in_view_s"]) > 0
    assert not (tmp_path / "session.html").exists()


def test_without_duckdb_the_extra_is_named(mien_without: Run, tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "part-000000.parquet").write_text("")
    ended = mien_without("duckdb", "summarize", tmp_path)
    assert ended.code == 1
    assert "pip install 'mien[scale]'" in ended.err
