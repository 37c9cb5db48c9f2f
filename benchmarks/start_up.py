"""How long `vidrnn --help` takes, beside starting Python with nothing.

python benchmarks/start_up.py
"""

from __future__ import annotations

import subprocess
import sys
import time
from statistics import median

_TIMES = 15


def main() -> None:
    """Time both in turn and print the medians."""
    commands = {
        "python -c pass": ["-c", "pass"],
        "vidrnn --help": ["-c", "from vidrnn.cli import run; run()", "--help"],
    }
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(_TIMES):
        for name, arguments in commands.items():
            started = time.perf_counter()
            subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
            seconds[name].append(time.perf_counter() - started)
    for name, times in seconds.items():
        print(f"{name}: {median(times):.3f} s")


if __name__ == "__main__":
    main()
