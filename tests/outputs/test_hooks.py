from __future__ import annotations

import json
import shlex
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mien.errors import InputError, UnknownName
from mien.outputs.hooks import MOST_WAITING, EventCommand
from mien.scene import Event

Command = Callable[..., str]


def _event(number: int = 1, *, label: str = "happy") -> Event:
    return Event(kind="change", task="emotion", track=number, label=label, time_s=2.5, duration_s=1.25)


@pytest.fixture
def python() -> Command:
    """A command that runs a piece of Python, with further words behind."""

    def make(program: str, *words: str) -> str:
        return shlex.join([sys.executable, "-c", program, *words])

    return make


def _wait_for(is_done: Callable[[], object], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not is_done():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


_WRITE = "import sys; open(sys.argv[1], 'a').write(sys.argv[2] + '|' + sys.stdin.read())"


def test_words_and_stdin_tell_the_event(python: Command, tmp_path: Path) -> None:
    told = "{kind} {task} {label} {track} {time_s} {duration_s}"
    with EventCommand(python(_WRITE, str(tmp_path / "out"), told)) as command:
        command(_event())
        _wait_for((tmp_path / "out").exists)
    words, line = (tmp_path / "out").read_text().split("|")
    assert words == "change emotion happy 1 2.5 1.25"
    assert json.loads(line) == _event().to_dict()
    assert line.endswith("\n")


def test_events_come_in_order_and_all_of_them(python: Command, tmp_path: Path) -> None:
    program = "import sys; open(sys.argv[1], 'a').write(sys.argv[2] + ' ')"
    with EventCommand(python(program, str(tmp_path / "out"), "{track}")) as command:
        for number in range(1, 6):
            command(_event(number))
        _wait_for(lambda: (tmp_path / "out").exists() and len((tmp_path / "out").read_text().split()) == 5)
    assert (tmp_path / "out").read_text() == "1 2 3 4 5 "


def test_no_value_becomes_a_command_or_another_word(python: Command, tmp_path: Path) -> None:
    evil = f"x; touch {tmp_path / 'evil'} $(touch {tmp_path / 'evil'}) {{task}}"
    with EventCommand(python(_WRITE, str(tmp_path / "out"), "<{label}>")) as command:
        command(_event(label=evil))
        _wait_for((tmp_path / "out").exists)
    assert (tmp_path / "out").read_text().startswith(f"<{evil}>|")
    assert not (tmp_path / "evil").exists()


def test_other_braces_stay(python: Command, tmp_path: Path) -> None:
    with EventCommand(python(_WRITE, str(tmp_path / "out"), '{"is": "{label}", "of": {{task}}, "no": {}}')) as command:
        command(_event())
        _wait_for((tmp_path / "out").exists)
    assert (tmp_path / "out").read_text().split("|")[0] == '{"is": "happy", "of": {task}, "no": {}}'


@pytest.mark.parametrize(
    ("words", "kind", "sentence"),
    [
        ("say {lable}", UnknownName, "Did you mean 'label'"),
        ('say "{label}', InputError, "cannot be split into words"),
        ("", InputError, "is empty"),
        ("   ", InputError, "is empty"),
        ("no-such-program-here {label}", InputError, "no program no-such-program-here"),
    ],
)
def test_wrong_commands_are_refused_at_once(words: str, kind: type[InputError], sentence: str) -> None:
    with pytest.raises(kind, match=sentence):
        EventCommand(words)


def test_an_unknown_placeholder_is_wrong_use() -> None:
    assert UnknownName.exit_code == 2


def test_the_caller_never_waits_and_the_oldest_are_given_up(
    python: Command, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    program = "import sys, time; open(sys.argv[1], 'a').write(sys.argv[2] + ' '); time.sleep(0.3)"
    with EventCommand(python(program, str(tmp_path / "out"), "{track}")) as command:
        command(_event(1))
        _wait_for((tmp_path / "out").exists)
        begin = time.monotonic()
        for number in range(2, 102):
            command(_event(number))
        assert time.monotonic() - begin < 0.25, "the caller waited for the command"
        _wait_for(lambda: len((tmp_path / "out").read_text().split()) >= 2)
    ran = [int(word) for word in (tmp_path / "out").read_text().split()]
    assert ran[0] == 1
    assert ran[1:] == list(range(102 - MOST_WAITING, 102))[: len(ran) - 1]
    assert caplog.text.count("are dropped") == 1


def test_each_way_to_fail_is_told_once(python: Command, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    program = "import sys; open(sys.argv[1], 'a').write('x'); sys.exit(int(sys.argv[2]))"
    with EventCommand(python(program, str(tmp_path / "out"), "{track}")) as command:
        for code in (3, 3, 4, 3):
            command(_event(code))
        _wait_for(lambda: (tmp_path / "out").exists() and len((tmp_path / "out").read_text()) == 4)
    assert caplog.text.count("ended with code 3") == 1
    assert caplog.text.count("ended with code 4") == 1


def test_a_command_that_takes_too_long_is_stopped_with_its_children(
    python: Command, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    child = "import sys, time; time.sleep(1.5); open(sys.argv[1], 'w').write('still there')"
    program = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}, *sys.argv[1:]])"
    with EventCommand(python(program, str(tmp_path / "out")), limit_s=0.5) as command:
        command(_event())
        _wait_for(lambda: "took longer than 0.5 s" in caplog.text)
    time.sleep(1.5)
    assert not (tmp_path / "out").exists()


def test_closing_waits_two_seconds_at_most(python: Command, caplog: pytest.LogCaptureFixture) -> None:
    command = EventCommand(python("import time; time.sleep(60)"))
    for number in (1, 2, 3):
        command(_event(number))
    time.sleep(0.3)
    begin = time.monotonic()
    command.close()
    assert time.monotonic() - begin < 4
    command.close()
    assert "2 more events still waiting" in caplog.text
    assert "signal" not in caplog.text


def test_closing_lets_what_is_waiting_run(tmp_path: Path) -> None:
    with EventCommand(f"sh -c 'cat >> {tmp_path}/out'") as command:
        command(_event(1))
        command(_event(2))
    command(_event(3))
    lines = (tmp_path / "out").read_text().splitlines()
    assert [json.loads(line)["track"] for line in lines] == [1, 2]


def test_a_command_that_ignores_its_stdin(caplog: pytest.LogCaptureFixture) -> None:
    with EventCommand("true") as command:
        for number in range(1, 10):
            command(_event(number))
    assert caplog.text == ""


def test_a_program_that_cannot_be_started(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    program = tmp_path / "happy"
    with EventCommand(f"{tmp_path}/{{label}}") as command:
        command(_event())
        command(_event())
        _wait_for(lambda: "cannot be started" in caplog.text)
        program.write_text("no program")
        command(_event())
    assert caplog.text.count("No such file") == 1


def test_what_it_prints_goes_to_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    with EventCommand("echo hello") as command:
        command(_event())
    captured = capfd.readouterr()
    assert captured.out == ""
    assert captured.err == "hello\n"
