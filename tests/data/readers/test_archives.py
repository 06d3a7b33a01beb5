from __future__ import annotations

import codecs
import gzip
import io
import lzma
import tarfile
import zipfile
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from mien.data.readers.archives import fields_of, table_lines
from mien.errors import UnreadableMedia

TABLE = "a,b\n1,2\n3,4\n"


def read(path: Path) -> str:
    with closing(table_lines(path)) as lines:
        return "".join(lines)


def pack(path: Path, files: dict[str, str]) -> Path:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name, text in files.items():
                archive.writestr(name, text)
        return path
    with tarfile.open(path, "w:gz" if path.suffix in (".gz", ".tgz") else "w") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    return path


@pytest.mark.parametrize("name", ["t.zip", "t.tar.gz", "t.tgz", "t.tar"])
def test_the_table_is_found_among_other_files(tmp_path: Path, name: str) -> None:
    alone = {"fer2013/README": "read me", "fer2013/table.csv": TABLE, "__MACOSX/table.csv": "x"}
    assert read(pack(tmp_path / name, alone)) == TABLE
    assert read(pack(tmp_path / name, {"train.csv": "x", "fer2013/fer2013.csv": TABLE})) == TABLE


@pytest.mark.parametrize("name", ["t.zip", "t.tar.gz"])
@pytest.mark.parametrize(("files", "says"), [({}, "holds 0 CSV"), ({"a.csv": TABLE, "b.csv": TABLE}, "holds 2 CSV")])
def test_an_archive_of_none_or_several(tmp_path: Path, name: str, files: dict[str, str], says: str) -> None:
    with pytest.raises(UnreadableMedia, match=says):
        read(pack(tmp_path / name, files))


def test_an_archive_that_is_none(tmp_path: Path) -> None:
    for name in ("t.zip", "t.tar.gz", "t.tar", "t.xz", "t.gz", "t.bz2"):
        (tmp_path / name).write_text(TABLE)
        with pytest.raises(UnreadableMedia, match="is truncated or damaged after row 0"):
            read(tmp_path / name)


def test_an_archive_with_a_password(tmp_path: Path) -> None:
    path = pack(tmp_path / "t.zip", {"t.csv": TABLE})
    data = bytearray(path.read_bytes())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):  # the bit that says a file is encrypted
        data[data.index(mark) + offset] |= 1
    path.write_bytes(data)
    with pytest.raises(UnreadableMedia, match="cannot be unpacked"):
        read(path)


def test_bytes_that_are_no_text_stay_in_their_line(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b"\xef\xbb\xbfa,b\r\n\xff,2\r\n3,4")
    with closing(table_lines(path)) as lines:
        assert [fields_of(line) for line in lines] == [["a", "b"], ["\udcff", "2"], ["3", "4"]]


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        ("1,2\n", ["1", "2"]),
        ('"1,5",2\n', ["1,5", "2"]),
        ("", []),
        ("x" * 200_000, ["x" * 200_000]),
    ],
)
def test_fields(line: str, fields: list[str]) -> None:
    assert fields_of(line) == fields


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
@pytest.mark.parametrize("opened", [Path.open, gzip.open, lzma.open])
def test_utf_16_as_spreadsheets_save_it_is_read(tmp_path: Path, encoding: str, opened: Any) -> None:
    path = tmp_path / {Path.open: "t.csv", gzip.open: "t.csv.gz", lzma.open: "t.csv.xz"}[opened]
    mark = codecs.BOM_UTF16_BE if encoding == "utf-16-be" else b""
    with opened(path, "wb") as file:
        file.write(mark + "a;b\r\né;2\r\n".encode(encoding))
    assert read(path) == "a;b\né;2\n"
    with opened(path, "wb") as file:
        file.write(mark + "a;b\n".encode(encoding) + b"\x00")
    assert read(path).startswith("a;b\n"), "half a character costs its own row only"


@pytest.mark.parametrize("hint", ["sep=;\r\n", "SEP=;\n", '"sep=;"\n', "\ufeffsep=,\n"])
def test_the_line_that_tells_excel_the_separator_is_no_header(tmp_path: Path, hint: str) -> None:
    (tmp_path / "t.csv").write_bytes((hint + TABLE).encode())
    assert read(tmp_path / "t.csv") == TABLE


def test_a_column_called_sep_is_a_header(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("sep=1,b\nsep=;\n", "utf-8")
    assert read(tmp_path / "t.csv") == "sep=1,b\nsep=;\n"
