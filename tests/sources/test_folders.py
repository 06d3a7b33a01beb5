"""Folders, globs and names: everything that can be read is listed, and nothing is passed over in silence."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mien.errors import UnreadableMedia
from mien.sources import expand_sources, open_source
from mien.sources.folders import LeftOut


def encoded(kind: str) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.full((30, 40, 3), 120, np.uint8)).save(out, kind)
    return out.getvalue()


@pytest.fixture
def mixed(tmp_path: Path, heic: Callable[..., bytes]) -> Path:
    """A folder as people have it."""
    files = {
        "a.jpg": encoded("JPEG"),
        "from_chrome.jfif": encoded("JPEG"),
        "portrait.mpo": encoded("JPEG"),
        "b.j2k": encoded("JPEG2000"),
        "IMG_0001.HEIC": heic(),
        "no-suffix": encoded("PNG"),
        "really-a-photo.txt": encoded("WEBP"),
        "really-a-photo.mp3": encoded("JPEG"),
        "camera.nef": b"II*\0\x10\0\0\0CR\2\0" + bytes(99),
        "poster.psd": b"8BPS\0\1" + bytes(99),
        "renamed-raw.bak": b"FUJIFILMCCD-RAW 0201" + bytes(99),
        "notes.txt": b"dear diary\n",
        "a.xmp": b"<x:xmpmeta/>",
        "b.xmp": b"<x:xmpmeta/>",
        "module.ts": b"export const answer = 42;\n",
        "photo.jpg.part": encoded("JPEG")[:200],
        ".DS_Store": b"\0\0\0\1Bud1",
        ".thumbnails/t.jpg": encoded("JPEG"),
    }
    for name, data in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    return tmp_path


def test_everything_that_can_be_read_or_looks_like_it_is_listed(mixed: Path) -> None:
    notes: list[str] = []
    paths, problems = expand_sources([mixed], on_note=notes.append)
    assert not problems
    read, refused = [], []
    for path in paths:
        try:
            with open_source(path) as source:
                (frame,) = source
            assert frame.size_hw in ((30, 40), (48, 64))
            read.append(path.name)
        except UnreadableMedia:
            refused.append(path.name)
    assert read == [
        *("a.jpg", "b.j2k", "from_chrome.jfif", "IMG_0001.HEIC", "no-suffix", "portrait.mpo"),
        *("really-a-photo.mp3", "really-a-photo.txt"),
    ]
    assert refused == ["camera.nef", "poster.psd", "renamed-raw.bak"]
    assert notes == [
        "Left out: 5 files that are no photo or video (.xmp, .part, .ts, .txt), 2 hidden files or folders."
    ]


def test_nothing_left_out_is_nothing_said(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(encoded("JPEG"))
    notes: list[str] = []
    expand_sources([tmp_path, tmp_path / "a.jpg"], on_note=notes.append)
    assert notes == []


def test_what_is_left_out_of_several_is_one_sentence(tmp_path: Path) -> None:
    for name in ("x/a.jpg", "x/1.txt", "y/b.jpg", "y/2.txt", "y/.hidden"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(encoded("JPEG") if name.endswith("jpg") else b"text")
    notes: list[str] = []
    expand_sources([tmp_path / "x", str(tmp_path / "y" / "*")], on_note=notes.append)
    assert notes == ["Left out: 2 files that are no photo or video (.txt)."], "a * does not name hidden files"


@pytest.mark.parametrize("way", ["twice", "another way", "by a link", "folder and glob", "its own subfolder"])
def test_what_is_left_out_is_counted_once_however_often_it_is_named(tmp_path: Path, way: str) -> None:
    folder = tmp_path / "names"
    for name in ("a.jpg", "notes.txt", ".git/config", "sub/b.jpg", "sub/.hidden", "sub/more.txt"):
        (folder / name).parent.mkdir(exist_ok=True, parents=True)
        (folder / name).write_bytes(encoded("JPEG") if name.endswith("jpg") else b"text")
    (folder / "sub" / "up").symlink_to(folder, target_is_directory=True)
    (tmp_path / "linked").symlink_to(folder, target_is_directory=True)
    again = {
        "twice": folder,
        "another way": folder / ".." / "names",
        "by a link": tmp_path / "linked",
        "folder and glob": f"{folder}/*",
        "its own subfolder": folder / "sub",
    }[way]
    notes: list[str] = []
    paths, _ = expand_sources([folder, again], on_note=notes.append)
    assert [path.name for path in paths] == ["a.jpg", "b.jpg"]
    assert notes == [
        "Left out: 2 files that are no photo or video (.txt), 2 hidden files or folders, 1 link to a folder."
    ]


def test_the_sentence() -> None:
    assert str(LeftOut()) == ""
    assert str(LeftOut(hidden={"/.a"})) == "Left out: 1 hidden file or folder."
    assert str(LeftOut(links={"/a", "/b"})) == "Left out: 2 links to folders."
    left = LeftOut(suffixes={"/x.a": ".a"})
    assert str(left) == "Left out: 1 file that is no photo or video (.a)."
    left.add(LeftOut(suffixes={f"/y.{letter}": f".{letter}" for letter in "abcdefg"}))
    assert str(left) == "Left out: 8 files that are no photo or video (.a, .b, .c, .d, .e, ...)."


@pytest.mark.parametrize("way", ["twice", "folder and file", "symlink", "hard link", "another way", "glob", "case"])
def test_a_file_named_twice_is_looked_at_once(way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    photo = tmp_path / "a.jpg"
    photo.write_bytes(encoded("JPEG"))
    other = tmp_path / "other"
    other.mkdir()
    specs: list[str | Path]
    if way == "twice":
        specs = ["a.jpg", "a.jpg"]
    elif way == "folder and file":
        specs = ["a.jpg", tmp_path]
    elif way == "symlink":
        (other / "b.jpg").symlink_to(photo)
        specs = ["a.jpg", other]
    elif way == "hard link":
        os.link(photo, other / "b.jpg")
        specs = [tmp_path]
    elif way == "another way":
        specs = ["a.jpg", "other/../a.jpg", photo]
    elif way == "glob":
        specs = ["*.jpg", "a.*"]
    else:
        (other / "link").symlink_to(tmp_path, target_is_directory=True)
        specs = ["a.jpg", "other/link/a.jpg"]
    paths, problems = expand_sources(specs)
    assert len(paths) == 1
    assert not problems


def test_equal_files_are_different_files(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(encoded("JPEG"))
    assert len(expand_sources([tmp_path])[0]) == 2


def test_links_to_folders_are_counted_not_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.jpg").write_bytes(encoded("JPEG"))
    (tmp_path / "real" / "again").symlink_to(tmp_path, target_is_directory=True)
    notes: list[str] = []
    paths, _ = expand_sources([tmp_path], on_note=notes.append)
    assert [path.name for path in paths] == ["a.jpg"]
    assert notes == ["Left out: 1 link to a folder."]


def test_a_broken_link_and_a_pipe_are_reported_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    os.mkfifo(tmp_path / "pipe")
    notes: list[str] = []
    paths, _ = expand_sources([tmp_path], on_note=notes.append)
    assert [path.name for path in paths] == ["gone.jpg", "pipe.jpg"]
    for path in paths:
        with pytest.raises(UnreadableMedia, match=r"no such file|not an ordinary file"):
            open_source(path)
    assert notes == ["Left out: 1 file that is no photo or video (without a suffix)."]


def test_a_folder_without_media_says_so(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing to see")
    notes: list[str] = []
    paths, (problem,) = expand_sources([tmp_path], on_note=notes.append)
    assert not paths
    assert "holds no photo or video" in str(problem)
    assert notes == []


def test_what_is_not_a_file_is_told() -> None:
    _, problems = expand_sources(["-", "http://127.0.0.1:1/x.jpg", "rtsp://name:secret@camera/a"])
    assert [str(problem) for problem in problems] == [
        "Cannot read -: that is standard input, and files are needed here; try mien live.",
        "Cannot read http://127.0.0.1:1/x.jpg: it is an address, and files are needed here; try mien live.",
        "Cannot read rtsp://camera/a: it is an address, and files are needed here; try mien live.",
    ]
