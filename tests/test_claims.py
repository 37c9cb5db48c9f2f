"""One process at a time works in a folder, and a folder that nothing was written into leaves no trace."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from vidrnn.claims import LOCK_NAME, claim_folder, claim_free_folder, holds_nothing


def test_a_claimed_folder_is_refused_to_others_until_it_is_given_back(tmp_path: Path) -> None:
    first = claim_folder(tmp_path / "runs" / "a")
    assert first is not None and claim_folder(first.folder) is None
    first.release()
    assert not list(tmp_path.iterdir()), "nothing was written into it"
    again = claim_folder(first.folder)
    assert again is not None
    (again.folder / "config.toml").write_text("mine")
    again.release()
    assert [each.name for each in again.folder.iterdir()] == ["config.toml"]


def test_the_next_number_is_taken_where_a_folder_is_in_use_or_full(tmp_path: Path) -> None:
    (tmp_path / "run-2").mkdir()
    (tmp_path / "run-2" / "model").touch()
    claims = [claim_free_folder(tmp_path / "run") for _ in range(3)]
    assert [claim.folder.name for claim in claims] == ["run", "run-3", "run-4"]
    for claim in claims:
        claim.release()
    assert [each.name for each in tmp_path.iterdir()] == ["run-2"]


def test_the_claim_of_a_killed_process_has_ended(tmp_path: Path) -> None:
    program = "import os, sys; from pathlib import Path; from vidrnn.claims import claim_folder\n"
    program += "claim = claim_folder(Path(sys.argv[1])); os._exit(9)"
    assert subprocess.run([sys.executable, "-c", program, tmp_path / "run"], check=False).returncode == 9
    assert (tmp_path / "run" / LOCK_NAME).exists() and holds_nothing(tmp_path / "run")
    claim = claim_free_folder(tmp_path / "run")
    assert claim.folder == tmp_path / "run"
    claim.release()
