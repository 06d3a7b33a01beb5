"""A Ray cluster of two nodes on this machine, in a process of its own, because Ray stays in the one that starts it."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import socket
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mien.errors import InputError
from mien.scale import ray_engine

needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="Ray is not installed: pip install 'mien[ray]'"
)

Rows = Callable[..., list[dict[str, Any]]]

_TWO_NODES = """
import json, os, signal, sys
from mien.scale import ray_engine
os.environ.update(ray_engine._QUIET)
from ray.cluster_utils import Cluster
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
cluster.add_node(num_cpus=1)
from mien.pipeline import Options
from mien.scale.folder import BatchFolder, HeldFolder, Log
from mien.scale.job import Settings
from mien.scale.prepare import prepare
from mien.scale.run import Run, conclude
from mien.scale.sources import items_of
from mien.sources import Selection
settings = Settings(options=Options(tasks=("emotion",), threads=1), selection=Selection(), range_s=1.0)
folder = BatchFolder(sys.argv[1])
items, _ = items_of(sys.argv[2:])
setup = {"folder": str(folder.path), "settings": settings.to_dict(), "how": settings.how}
killed = []
with HeldFolder(folder), Log(folder.log) as log:
    parts = prepare(folder, settings, items)
    with ray_engine.RayEngine(2, setup, log.say, address=cluster.address) as engine:
        def harm(progress):
            places = engine.places
            if progress.units_done >= 3 and places and not killed:
                killed.append(min(places)[1])
                os.kill(killed[0], signal.SIGKILL)
        run = Run(folder, settings, parts, log, on_progress=harm)
        run.work(engine)
        nodes = {node for node, _ in engine.places}
    manifest = conclude(folder, parts, settings)
cluster.shutdown()
print(json.dumps({"nodes": len(nodes), "killed": killed, "problems": run.problems, "frames": manifest["frames"]}))
"""


@pytest.mark.slow
@needs_ray
def test_two_nodes_do_what_one_machine_does_though_an_actor_is_killed(
    tmp_path: Path, walls: Callable[[int], Path], drawn_clip: Path, rows: Rows
) -> None:
    import json

    photos = walls(6)
    command = [sys.executable, "-c", _TWO_NODES, str(tmp_path / "ray"), str(photos), str(drawn_clip)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert (told["nodes"], len(told["killed"]), told["problems"], told["frames"]) == (2, 1, [], 26)
    words = ["--task", "emotion", "--range", "1", "--threads", "1", "--quiet"]
    local = [
        sys.executable,
        "-m",
        "mien",
        "batch",
        str(photos),
        str(drawn_clip),
        "--out",
        str(tmp_path / "local"),
        *words,
    ]
    assert subprocess.run(local, check=False, timeout=240).returncode == 0
    assert rows(tmp_path / "ray") == rows(tmp_path / "local")


@pytest.mark.slow
@needs_ray
def test_nothing_is_sent_beyond_this_machine(tmp_path: Path, walls: Callable[[int], Path]) -> None:
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed here")
    calls = tmp_path / "calls"
    home = tmp_path / "home"
    home.mkdir()
    command = [strace, "-f", "-qq", "-e", "trace=connect,sendto,sendmsg,sendmmsg", "-s", "200", "-o", str(calls)]
    command += [sys.executable, "-m", "mien", "batch", str(walls(2)), "--out", str(tmp_path / "out")]
    command += ["--engine", "ray", "--jobs", "1", "--task", "emotion", "--quiet"]
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=280, env=environment)
    if "ptrace" in done.stderr or "Operation not permitted" in done.stderr:
        pytest.skip(f"strace may not watch processes here: {done.stderr.strip()[:200]}")
    assert done.returncode == 0, done.stderr[-3000:]
    lines = calls.read_text(errors="replace").splitlines()
    assert any("127.0.0.1" in line for line in lines)
    beyond = [line for line in lines if _is_beyond(line)]
    assert beyond == []
    assert [str(path.relative_to(home)) for path in home.rglob("*")] == []


@pytest.mark.parametrize("address", [None, "head:6379"])
def test_a_cluster_that_does_not_start_is_a_sentence(monkeypatch: pytest.MonkeyPatch, address: str | None) -> None:
    """Ray raises a plain Exception when its processes have not begun within half a minute."""

    def init(**options: Any) -> None:
        raise Exception("The current node timed out during startup.\nMore about it.")  # noqa: TRY002

    ray = types.ModuleType("ray")
    ray.init = init  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "ray", ray)
    for name in (*ray_engine._QUIET, *ray_engine._SHUT, "RAY_AUTH_MODE", "RAY_AUTH_TOKEN"):
        monkeypatch.setenv(name, "as before")
    with pytest.raises(InputError, match=r"\(The current node timed out during startup\)") as caught:
        ray_engine.RayEngine(1, {}, print, address=address)
    assert ("head:6379" if address else "this machine") in str(caught.value)
    assert os.environ["http_proxy"] == "as before"


def _own_addresses() -> set[str]:
    """Of this machine, also the one with which it would go out; connecting a datagram socket sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            own = probe.getsockname()[0]
        except OSError:
            own = "127.0.0.1"
    return {own, "127.0.0.1", "0.0.0.0", "::1", "::"}  # noqa: S104


def _is_beyond(line: str) -> bool:
    """Whether a call reaches for another machine: any address but those of this one, or a name server's port.

    Connecting a datagram socket sends nothing; Ray learns the machine's own address that way.
    """
    found = re.search(r'inet_addr\("([\d.]+)"\)|inet_pton\(AF_INET6, "([^"]+)"', line)
    if found is None:
        return False
    address = found[1] or found[2]
    is_own = address.startswith("127.") or address.removeprefix("::ffff:") in _own_addresses()
    is_looked_up = "connect(" in line and "8.8.8.8" in line and "htons(53)" in line and line.endswith("= 0")
    return not is_own and not is_looked_up
