"""Nothing that is written replaces what somebody had."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from mien.errors import OutputError, ReaderLeft, RefusedOutput
from mien.files.locks import hold, hold_folder, is_held
from mien.files.plan import WritePlan
from mien.files.targets import descriptor_of, is_stream, open_stream, output_error
from mien.files.whole import PartFile, check_folder, remove_folder, whole_folder, write_whole

_HOLD = """
import sys, time
from mien.files.whole import PartFile
part = PartFile(sys.argv[1])
print("held", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    path.write_bytes(b"a photo")
    return path


class TestWritePlan:
    def test_an_input_is_never_written(self, photo: Path) -> None:
        for overwrite in (False, True):
            with pytest.raises(RefusedOutput, match=r"--csv .*photo.png would replace the input"):
                WritePlan([photo], overwrite=overwrite).file(photo, "--csv")

    @pytest.mark.parametrize("way", ["dot", "parent", "link", "hard link", "folder link"])
    def test_whatever_way_leads_to_it(self, photo: Path, tmp_path: Path, way: str) -> None:
        target = tmp_path / "other.png"
        if way == "dot":
            target = Path(f"{tmp_path}/./photo.png")
        elif way == "parent":
            (tmp_path / "sub").mkdir()
            target = tmp_path / "sub" / ".." / "photo.png"
        elif way == "link":
            target.symlink_to(photo)
        elif way == "hard link":
            target.hardlink_to(photo)
        else:
            (tmp_path / "sub").symlink_to(tmp_path)
            target = tmp_path / "sub" / "photo.png"
        with pytest.raises(RefusedOutput, match="would replace the input"):
            WritePlan([photo], overwrite=True).file(target, "--csv")
        with pytest.raises(RefusedOutput, match="would replace the input"):
            WritePlan([target], overwrite=True).file(photo, "--csv")

    def test_a_relative_target(self, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(photo.parent)
        with pytest.raises(RefusedOutput, match="would replace the input"):
            WritePlan([photo], overwrite=True).file("./photo.png", "--jsonl")

    def test_case_is_no_difference_where_the_system_sees_none(
        self, photo: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = Path.stat

        def stat(path: Path, **options: bool) -> os.stat_result:
            """As a file system answers that ignores case."""
            return real(path.with_name(path.name.lower()), **options)

        monkeypatch.setattr(Path, "stat", stat)
        with pytest.raises(RefusedOutput, match="would replace the input"):
            WritePlan([photo], overwrite=True).file(photo.with_name("PHOTO.PNG"), "--csv")

    def test_two_outputs_to_one_file(self, tmp_path: Path) -> None:
        for other in ("x", "X", "./x", "sub/../x"):
            plan = WritePlan()
            plan.file(tmp_path / "x", "--jsonl")
            with pytest.raises(RefusedOutput, match="--jsonl and --csv both write"):
                plan.file(f"{tmp_path}/{other}", "--csv")

    def test_two_outputs_to_stdout(self) -> None:
        plan = WritePlan()
        plan.file("-", "--jsonl")
        with pytest.raises(RefusedOutput, match="both write stdout"):
            plan.file("/dev/stdout", "--events")

    def test_a_device_takes_everything(self) -> None:
        plan = WritePlan()
        plan.file("/dev/null", "--jsonl")
        plan.file("/dev/null", "--csv")

    def test_what_is_there_stays_unless_asked(self, photo: Path) -> None:
        with pytest.raises(RefusedOutput, match="already exists; name another file or use --overwrite"):
            WritePlan().file(photo, "--csv")
        WritePlan(overwrite=True).file(photo, "--csv")
        WritePlan().file(photo, "--csv", grows=True)

    def test_a_folder_is_no_file(self, tmp_path: Path) -> None:
        with pytest.raises(RefusedOutput, match="is a folder; name a file"):
            WritePlan(overwrite=True).file(tmp_path, "--csv")

    def test_files_of_a_folder_that_is_read(self, photo: Path) -> None:
        plan = WritePlan([photo.parent], overwrite=True)
        with pytest.raises(RefusedOutput, match="would replace a file of the input"):
            plan.file(photo, "--csv")
        plan.file(photo.with_name("new.csv"), "--csv")
        report = photo.with_name("report.html")
        report.write_text("an earlier report")
        plan.file(report, "--out")

    def test_a_folder_that_holds_an_input(self, photo: Path, tmp_path: Path) -> None:
        plan = WritePlan([photo], overwrite=True)
        with pytest.raises(RefusedOutput, match="holds the input"):
            plan.folder(tmp_path, "OUT")
        with pytest.raises(RefusedOutput, match="is an input"):
            WritePlan([tmp_path], overwrite=True).folder(tmp_path, "OUT")
        (tmp_path / "empty").mkdir()
        plan.folder(tmp_path / "empty", "OUT")
        plan.folder(tmp_path / "not there", "OUT")


class TestPartFile:
    def test_an_older_part_stays(self, tmp_path: Path) -> None:
        older = tmp_path / "out.csv.part"
        older.write_text("what a killed run left")
        part = PartFile(tmp_path / "out.csv")
        assert part.path.name == "out.csv.2.part"
        part.path.write_text("new")
        part.commit()
        assert older.read_text() == "what a killed run left"
        assert (tmp_path / "out.csv").read_text() == "new"

    def test_the_suffix_stays_where_it_is_wanted(self, tmp_path: Path) -> None:
        (tmp_path / "out.mp4.part.mp4").write_text("older")
        part = PartFile(tmp_path / "out.mp4", keep_suffix=True)
        assert part.path.name == "out.mp4.2.part.mp4"
        part.discard()

    def test_a_second_writer_is_refused(self, tmp_path: Path) -> None:
        first = PartFile(tmp_path / "out.csv")
        with pytest.raises(RefusedOutput, match="another run is writing it"):
            PartFile(tmp_path / "out.csv")
        assert [path.name for path in tmp_path.iterdir()] == ["out.csv.part"]
        first.discard()
        PartFile(tmp_path / "out.csv").discard()

    def test_a_second_writer_beside_an_older_part(self, tmp_path: Path) -> None:
        (tmp_path / "out.csv.part").write_text("older")
        first = PartFile(tmp_path / "out.csv")
        with pytest.raises(RefusedOutput, match="another run is writing it"):
            PartFile(tmp_path / "out.csv")
        first.discard()

    def test_a_writer_in_another_process(self, tmp_path: Path) -> None:
        command = [sys.executable, "-c", _HOLD, str(tmp_path / "out.csv")]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
            assert other.stdout is not None
            assert other.stdout.readline() == "held\n"
            with pytest.raises(RefusedOutput, match="another run is writing it"):
                PartFile(tmp_path / "out.csv")
            other.kill()
            other.wait()
        part = PartFile(tmp_path / "out.csv")  # what the killed one left is older now, and stays
        assert part.path.name == "out.csv.2.part"
        part.discard()

    def test_a_file_that_came_meanwhile_stays(self, tmp_path: Path) -> None:
        part = PartFile(tmp_path / "out.csv")
        part.path.write_text("ours")
        (tmp_path / "out.csv").write_text("somebody else's")
        with pytest.raises(OutputError, match="did not exist when this began") as raised:
            part.commit()
        assert (tmp_path / "out.csv").read_text() == "somebody else's"
        assert part.path.read_text() == "ours"
        assert str(part.path) in str(raised.value)

    def test_who_may_read_stays(self, photo: Path) -> None:
        photo.chmod(0o600)
        write_whole(photo, b"new")
        assert photo.stat().st_mode & 0o777 == 0o600

    def test_of_many_writers_at_once_one_at_most_goes_on(self, tmp_path: Path) -> None:
        parts: list[PartFile] = []
        refused: list[int] = []
        start = threading.Barrier(8)

        def write(number: int) -> None:
            start.wait()
            try:
                parts.append(PartFile(tmp_path / "out"))
            except RefusedOutput:
                refused.append(number)

        threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(parts) <= 1
        assert len(parts) + len(refused) == 8
        for part in parts:
            part.discard()
        assert not list(tmp_path.iterdir())


class TestStreams:
    @pytest.mark.parametrize(
        ("name", "number"),
        [("-", 1), ("/dev/stdout", 1), ("/dev/stderr", 2), ("/dev/fd/63", 63), ("/proc/self/fd/5", 5)],
    )
    def test_names_of_open_files(self, name: str, number: int) -> None:
        assert descriptor_of(name) == number

    @pytest.mark.parametrize("name", ["out.csv", "/dev/null", "/tmp/dev/fd/3", "/dev/fd/x"])
    def test_other_names(self, name: str) -> None:
        assert descriptor_of(name) is None

    def test_an_open_file_is_written_where_it_stands(self, tmp_path: Path) -> None:
        path = tmp_path / "log"
        with path.open("wb", buffering=0) as file:
            file.write(b"before ")
            write_whole(f"/dev/fd/{file.fileno()}", b"after")
        assert path.read_bytes() == b"before after"
        assert [path.name for path in tmp_path.iterdir()] == ["log"]

    def test_a_named_pipe(self, tmp_path: Path) -> None:
        pipe = tmp_path / "pipe"
        os.mkfifo(pipe)
        assert is_stream(pipe)
        waited = threading.Event()
        got: list[bytes] = []

        def read() -> None:
            waited.wait(10)
            got.append(pipe.read_bytes())

        reader = threading.Thread(target=read)
        reader.start()
        descriptor = open_stream(pipe, on_wait=waited.set)
        os.write(descriptor, b"through")
        os.close(descriptor)
        reader.join(10)
        assert got == [b"through"]

    def test_nothing_open_there(self) -> None:
        with pytest.raises(OutputError, match="nothing is open there"):
            open_stream("/dev/fd/987")

    def test_a_reader_that_left_is_told_apart(self) -> None:
        assert isinstance(output_error("x", BrokenPipeError(32, "Broken pipe")), ReaderLeft)


class TestWholeFolder:
    def test_it_is_there_whole(self, tmp_path: Path) -> None:
        with whole_folder(tmp_path / "made", known=["*.txt"]) as fresh:
            (fresh / "a.txt").write_text("a")
            assert not (tmp_path / "made").exists()
        assert [path.name for path in tmp_path.rglob("*")] == ["made", "a.txt"]

    def test_an_error_leaves_the_earlier_one(self, tmp_path: Path) -> None:
        (tmp_path / "made").mkdir()
        (tmp_path / "made" / "a.txt").write_text("earlier")
        with pytest.raises(KeyboardInterrupt), whole_folder(tmp_path / "made", known=["*.txt"]):
            raise KeyboardInterrupt
        assert (tmp_path / "made" / "a.txt").read_text() == "earlier"
        assert [path.name for path in tmp_path.iterdir()] == ["made"]

    def test_other_files_in_it_are_not_lost(self, tmp_path: Path) -> None:
        (tmp_path / "made" / "sub").mkdir(parents=True)
        (tmp_path / "made" / "sub" / "notes.md").write_text("mine")
        with (
            pytest.raises(RefusedOutput, match=r"also holds sub.notes\.md, which would be lost"),
            whole_folder(tmp_path / "made", known=["*.txt"]),
        ):
            pass
        assert (tmp_path / "made" / "sub" / "notes.md").read_text() == "mine"

    def test_a_second_writer_is_refused(self, tmp_path: Path) -> None:
        with (
            whole_folder(tmp_path / "made", known=[]),
            pytest.raises(RefusedOutput, match="another run is writing it"),
            whole_folder(tmp_path / "made", known=[]),
        ):
            pass
        assert [path.name for path in tmp_path.iterdir()] == ["made"]


class TestCheckFolder:
    def test_nothing_is_made(self, tmp_path: Path) -> None:
        (tmp_path / "made").mkdir()
        for target in (tmp_path / "made", tmp_path / "new", tmp_path / "new" / "deep" / "er"):
            check_folder(target)
        assert [path.name for path in tmp_path.rglob("*")] == ["made"]

    @pytest.mark.parametrize("closed", ["made", "above"])
    def test_what_cannot_be_written_is_told(self, closed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Asked of the system by name, for whoever runs tests as root may write anywhere."""
        target = tmp_path / "above" / "made"
        target.mkdir(parents=True)
        open_to = os.access
        monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != closed and open_to(path, mode))
        with pytest.raises(OutputError, match="you have no permission"):
            check_folder(target)
        if closed == "above":
            with pytest.raises(OutputError, match=r"new.*you have no permission"):
                check_folder(tmp_path / "above" / "new" / "deep")

    def test_a_file_in_its_way_is_told(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("mine")
        with pytest.raises(OutputError, match="is a file, not a folder"):
            check_folder(tmp_path / "file" / "made")


class TestRemoveFolder:
    def test_it_is_gone_and_its_neighbours_are_not(self, tmp_path: Path) -> None:
        for name in ("made", "made too"):
            (tmp_path / name / "sub").mkdir(parents=True)
            (tmp_path / name / "sub" / "a.txt").write_text("a")
        remove_folder(tmp_path / "made", known=["*.txt"])
        assert [path.name for path in tmp_path.iterdir()] == ["made too"]

    def test_what_is_not_known_or_checked_stays(self, tmp_path: Path) -> None:
        (tmp_path / "made").mkdir()
        (tmp_path / "made" / "a.txt").write_text("a")
        (tmp_path / "made" / "notes.md").write_text("mine")
        with pytest.raises(RefusedOutput, match=r"notes\.md"):
            remove_folder(tmp_path / "made", known=["*.txt"])
        with pytest.raises(KeyError):
            remove_folder(tmp_path / "made", known=["*"], check=lambda: {}["changed"])
        assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.txt", "made", "notes.md"]

    def test_a_writer_is_not_disturbed(self, tmp_path: Path) -> None:
        with (
            whole_folder(tmp_path / "made", known=[]),
            pytest.raises(RefusedOutput, match="another run is writing it"),
        ):
            remove_folder(tmp_path / "made", known=[])


def test_held_is_seen_without_holding(tmp_path: Path) -> None:
    part = PartFile(tmp_path / "out")
    assert is_held(part.path)
    part.keep()
    assert not is_held(part.path)


def test_a_lock_is_held_once(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_text("")
    with path.open() as first, path.open() as second:
        assert hold(first.fileno())
        assert not hold(second.fileno())


class TestNames:
    @pytest.mark.parametrize(
        ("name", "what"),
        [("", "is empty"), ("x" * 300, "too long"), ("d/" * 3000, "too long"), ("a\0b", "not a valid")],
    )
    def test_what_cannot_be_a_name_is_refused(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, what: str
    ) -> None:
        monkeypatch.chdir(tmp_path)
        for claim in (WritePlan().file, WritePlan().folder):
            with pytest.raises(RefusedOutput, match=f"--csv .*{what}") as caught:
                claim(name, "--csv")
            assert len(str(caught.value)) < 350

    def test_an_input_of_such_a_name_is_nothing(self, tmp_path: Path, photo: Path) -> None:
        with pytest.raises(RefusedOutput, match="would replace the input"):
            WritePlan(["x" * 300, "a\0b", photo], overwrite=True).file(photo, "--csv")
        WritePlan(["x" * 300, "a\0b"]).file(tmp_path / "new.csv", "--csv")


def test_a_folder_is_held_once(tmp_path: Path) -> None:
    held = hold_folder(tmp_path)
    if held is None:
        pytest.skip("this system locks no folders")
    with pytest.raises(RefusedOutput, match="another run"):
        hold_folder(tmp_path)
    os.close(held)
    again = hold_folder(tmp_path)
    assert again is not None
    os.close(again)
