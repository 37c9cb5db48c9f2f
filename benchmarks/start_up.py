"""How long `vidrnn --help` takes, beside the import of the two packages that it prints with.

    python benchmarks/start_up.py

The commands take turns, so that other work on the machine slows all of them. The ratio of the quickest runs is the
figure to go by; the median of the ratios within a turn is shown beside it. As after an installation, Python finds its
bytecode compiled: the first turn does that and does not count.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from statistics import median

_TURNS = 25
_ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
_PROGRAM = "from vidrnn.cli import run; run()"
BASE = 'python -c "import typer, rich"'
COMMANDS = {
    "python -c pass": ["-c", "pass"],
    BASE: ["-c", "import typer, rich"],
    "vidrnn --version": ["-c", _PROGRAM, "--version"],
    "vidrnn --help": ["-c", _PROGRAM, "--help"],
    "vidrnn predict --help": ["-c", _PROGRAM, "predict", "--help"],
    "vidrnn train --help": ["-c", _PROGRAM, "train", "--help"],
}


def main() -> None:
    """Time all in turn and print a table."""
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for turn in range(_TURNS + 1):
        for name, arguments in COMMANDS.items():
            started = time.perf_counter()
            subprocess.run([sys.executable, *arguments], check=True, capture_output=True, env=_ENVIRONMENT)
            if turn:
                seconds[name].append(time.perf_counter() - started)
    print(f"| command | seconds, best | median | times {BASE}, best | median |\n|---|---|---|---|---|")
    for name, times in seconds.items():
        ratios = [one / base for one, base in zip(times, seconds[BASE], strict=True)]
        ratio = f"{min(times) / min(seconds[BASE]):.2f} | {median(ratios):.2f}"
        print(f"| {name} | {min(times):.3f} | {median(times):.3f} | {ratio} |")


if __name__ == "__main__":
    main()
