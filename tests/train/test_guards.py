from __future__ import annotations

import pytest
from torch.multiprocessing.spawn import ProcessRaisedException

from mien.errors import TrainingStopped
from mien.train.guards import of_processes

TRACE = "\n\n-- Process 1 terminated with the following error:\nTraceback (most recent call last):\n  File ...\n"


def test_what_stopped_a_process_is_raised_as_it_was_meant() -> None:
    with pytest.raises(TrainingStopped, match=r"^The loss became nan; lower fit\.rate: 0\.1$"), of_processes():
        raise ProcessRaisedException(
            f"{TRACE}mien.errors.TrainingStopped: The loss became nan; lower fit.rate: 0.1\n", 1, 7
        )


@pytest.mark.parametrize("last", ["ValueError: 3", "mien.errors.Unheard: of", "mien.errors.TrainingStopped"])
def test_other_faults_keep_their_traceback(last: str) -> None:
    with pytest.raises(ProcessRaisedException, match="terminated"), of_processes():
        raise ProcessRaisedException(f"{TRACE}{last}\n", 0, 7)
