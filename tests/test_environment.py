from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

LOOK = """
import json, os
from pathlib import Path
from mien.extras import needs
with needs("data"):
    import matplotlib
folder = Path(matplotlib.get_configdir())
print(json.dumps([str(folder), sorted(path.name for path in folder.iterdir()), matplotlib.rcParams["lines.linewidth"]]))
"""


def run(code: str, home: Path, **variables: str) -> str:
    names = ("PATH", "LANG", "TMPDIR")
    kept = {name: os.environ[name] for name in names if name in os.environ}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**kept, "HOME": str(home), **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the folders of Linux")
def test_plots_leave_nothing_in_an_empty_home_and_their_folder_goes(tmp_path: Path) -> None:
    folder, _, _ = json.loads(run(LOOK, tmp_path))
    assert not list(tmp_path.iterdir())
    assert not Path(folder).exists()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the folders of Linux")
def test_the_users_own_settings_of_plots_hold(tmp_path: Path) -> None:
    config, cache = tmp_path / ".config" / "matplotlib", tmp_path / ".cache" / "matplotlib"
    (config / "stylelib").mkdir(parents=True)
    (config / "stylelib" / "mine.mplstyle").write_text("lines.linewidth: 3\n", "utf-8")
    (config / "matplotlibrc").write_text("lines.linewidth: 7\n", "utf-8")
    cache.mkdir(parents=True)
    (cache / "fontlist-v0.json").write_text("{}", "utf-8")
    before = sorted(tmp_path.rglob("*"))
    _, names, width = json.loads(run(LOOK, tmp_path))
    assert {"fontlist-v0.json", "matplotlibrc", "stylelib"} <= set(names)
    assert width == 7
    assert sorted(tmp_path.rglob("*")) == before


def test_a_folder_that_the_user_names_for_plots_is_his(tmp_path: Path) -> None:
    own = tmp_path / "own"
    folder, _, _ = json.loads(run(LOOK, tmp_path, MPLCONFIGDIR=str(own)))
    assert Path(folder) == own


SOUND = """
import os
from mien.environment import no_sound_files
no_sound_files()
print(os.environ.get("PULSE_COOKIE"), os.environ.get("PULSE_RUNTIME_PATH"))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="PulseAudio is Linux's")
def test_the_sound_server_is_asked_without_files_in_an_empty_home(tmp_path: Path) -> None:
    cookie, runtime = run(SOUND, tmp_path).split()
    assert "None" not in (cookie, runtime)
    assert str(tmp_path) not in cookie + runtime
    cookie, runtime = run(SOUND, tmp_path, XDG_RUNTIME_DIR=str(tmp_path)).split()
    assert cookie != "None"
    assert runtime == "None", "the server's socket is in XDG_RUNTIME_DIR"
    (tmp_path / ".config" / "pulse").mkdir(parents=True)
    assert run(SOUND, tmp_path).split() == ["None", "None"], "who has a cookie keeps it"
