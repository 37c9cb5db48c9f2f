"""Several processes of one training on this machine, started and watched by torch's own launcher (torchrun)."""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Sequence

from torch.distributed.elastic.multiprocessing import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from vidrnn.errors import ProcessError

_STOP_SECONDS = 600
"""So long may processes take to end after Ctrl-C: the model is written first."""
_STOPPED = 130
_HERE = "127.0.0.1"


def launch_training(processes: int, arguments: Sequence[str]) -> int:
    """Run `vidrnn train` with these arguments in several processes, and wait for them; the exit code of the first one.

    As soon as one process is lost, the others end too.

    Raises:
        ProcessError: a process was lost.
    """
    logging.disable(logging.CRITICAL)  # the launcher's own words are of its inside
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=processes,
        rdzv_backend="c10d",
        rdzv_endpoint=f"{_HERE}:0",
        local_addr=_HERE,
        run_id="vidrnn",
        max_restarts=0,
        shutdown_timeout=_STOP_SECONDS,
    )
    try:
        elastic_launch(config, sys.executable)("-P", "-m", "vidrnn", "train", *arguments)
    except SignalException:  # Ctrl-C, or SIGTERM, which one process answers in the same way
        return _STOPPED
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        if failure.exitcode < 0:  # by a signal; else it has said why
            name = signal.Signals(-failure.exitcode).name
            raise ProcessError(
                f"Process {rank + 1} of {processes} was ended from outside ({name}), so the training ended. Go on with "
                "--resume and the folder of the run."
            ) from None
        return int(failure.exitcode)
    return 0
