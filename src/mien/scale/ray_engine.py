"""The engine of a Ray cluster: actors, each with its own models, one task at a time, on any number of machines.

All machines must see the folder of the batch and the sources under the same paths, and have mien installed. Actors and
not a Ray Data pipeline: a batch has to tell a source that fails from a worker that dies, and tries each only so often.
"""

from __future__ import annotations

import logging
import os
import secrets
from collections.abc import Callable, Mapping
from typing import Any

from mien.errors import InputError
from mien.extras import needs
from mien.resource import Resource
from mien.scale.engine import Advanced, Ended
from mien.scale.folder import BatchFolder
from mien.scale.job import Settings, WorkItem
from mien.scale.tasks import Worker, untold
from mien.scale.worker import attempt

_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_USAGE_STATS_PROMPT_ENABLED": "0",
    "RAY_DISABLE_IMPORT_WARNING": "1",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}
"""Ray reports to its makers unless it is told not to before it is imported."""

_NOWHERE = "http://127.0.0.1:9/"
_SHUT = {"RAY_USAGE_STATS_REPORT_URL": _NOWHERE, "http_proxy": _NOWHERE}
"""Ray 2.60 also reports that nothing is to be reported, and asks the address at which clouds describe their machines
(seen with strace); of a cluster that is started here both lead nowhere. Ray's own connections do not use the proxy."""


class RayEngine(Resource):
    """Actors that do tasks; one that dies is replaced.

    Args:
        workers: how many, one processor core each.
        setup: as for `LocalEngine`.
        say: called with a line about each actor that died, and with where the cluster's page is.
        address: of a cluster to join; None starts one on this machine and ends it with this.

    Raises:
        MissingExtra: Ray is not installed.
        InputError: there is no cluster at the address, or Ray cannot start one here.
    """

    def __init__(
        self, workers: int, setup: Mapping[str, Any], say: Callable[[str], object], *, address: str | None = None
    ) -> None:
        os.environ.update(_QUIET)
        shut = {} if address else {**_SHUT, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
        before = {name: os.environ.get(name) for name in shut}
        os.environ.update(shut)
        with needs("ray"):
            import ray
        self._ray = ray
        self.workers = workers
        self._setup = {**setup, "http_proxy": os.environ.get("http_proxy") if address else before["http_proxy"]}
        self._say = say
        self._running: dict[Any, tuple[Any, WorkItem]] = {}
        self._idle: list[Any] = []
        local: dict[str, Any] = {"num_cpus": workers, "include_dashboard": False, "_node_ip_address": "127.0.0.1"}
        try:
            context = ray.init(
                address=address or "local",
                log_to_driver=False,
                configure_logging=True,
                logging_level=logging.ERROR,
                **({} if address else local),
            )
        except Exception as error:  # what Ray raises need not be more than that, as when a busy machine is too slow
            reason = str(error).partition("\n")[0].rstrip(".")[:300]
            if address:
                told = f"Cannot join a Ray cluster at {address} ({reason}); start one with `ray start`."
            else:
                told = (
                    f"Ray cannot start on this machine ({reason}); try again when it is less busy, or without --engine."
                )
            raise InputError(told) from error
        finally:
            if not address:
                _put_back("http_proxy", before["http_proxy"])
        page = getattr(context, "dashboard_url", "")
        if page:
            say(f"the Ray cluster's page: http://{page}")
        self._actor = ray.remote(num_cpus=1, max_restarts=0)(_Actor)

    @property
    def places(self) -> set[tuple[str, int]]:
        """Nodes and processes of the actors that have nothing to do."""
        return set(self._ray.get([actor.place.remote() for actor in self._idle]))

    @property
    def free(self) -> int:
        return self.workers - len(self._running)

    def submit(self, task: WorkItem) -> None:
        actor: Any = self._idle.pop() if self._idle else self._actor.remote(self._setup)
        self._running[actor.perform.remote(task.to_dict())] = (actor, task)

    def wait(self, timeout_s: float) -> Ended | Advanced | None:
        ready, _ = self._ray.wait(list(self._running), num_returns=1, timeout=timeout_s)
        if not ready:
            return None
        actor, task = self._running.pop(ready[0])
        try:
            message = self._ray.get(ready[0])
        except self._ray.exceptions.RayActorError as error:
            reason = str(error).strip().partition("\n")[0]
            self._say(f"an actor died at {task.about} ({reason}); another takes its place")
            # Ray does not say whether it was killed from outside, or ended itself.
            return Ended(task=task, outcome="killed", reason=f"{task.about}: the actor died while it looked at this.")
        self._idle.append(actor)
        return Ended(task=task, **message)

    def close(self) -> None:
        for actor in [*self._idle, *(actor for actor, _ in self._running.values())]:
            self._ray.kill(actor)
        self._idle.clear()
        self._running.clear()
        self._ray.shutdown()


def _put_back(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value


class _Actor:
    """What runs on the machines of the cluster."""

    def __init__(self, setup: Mapping[str, Any]) -> None:
        if os.environ.get("http_proxy") == _NOWHERE:  # sources may be anywhere
            _put_back("http_proxy", setup.get("http_proxy"))
        settings = Settings.from_dict(setup["settings"], **setup["how"])
        self._worker = Worker(BatchFolder(setup["folder"]), settings)

    def perform(self, task: Mapping[str, Any]) -> dict[str, Any]:
        """Do a task; see `attempt`."""
        return attempt(self._worker, WorkItem.from_dict(task), untold)

    def place(self) -> tuple[str, int]:
        """The node and the process it is in, for tests."""
        import ray

        return ray.get_runtime_context().get_node_id(), os.getpid()
