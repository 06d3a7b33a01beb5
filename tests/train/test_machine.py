from __future__ import annotations

import subprocess
import sys

import pytest

_FREED_AND_ASKED_FOR = """
import resource, sys
import torch
from mien.train.machine import keep_freed_memory

def page_faults():
    for i in range(21):
        if i == 1:  # the first round takes what the others may use again
            before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        torch.ones(64 * 2**20 // 4).add_(1)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

given_back = page_faults()
if not keep_freed_memory():
    sys.exit("nothing was changed")
print(given_back, page_faults())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="malloc of glibc is that of Linux")
def test_freed_memory_is_used_again_without_a_page_fault() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _FREED_AND_ASKED_FOR], capture_output=True, text=True, check=True, timeout=120
    )
    given_back, kept = map(int, done.stdout.split())
    assert kept < given_back / 4
