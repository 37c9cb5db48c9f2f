"""The timeline as a Parquet table; the files of a folder read as one data set. Needs the extra `parquet`."""

from __future__ import annotations

from pathlib import Path

from vidrnn.atomic import write_file
from vidrnn.outputs.base import Answered, Output, segment_rows


class Parquet(Output):
    """The columns of the CSV, with types."""

    suffix = ".parquet"
    needs = "pyarrow"

    def write(self, answered: Answered, file: Path) -> None:
        """As the contract says."""
        import pyarrow
        from pyarrow import parquet

        text, number = pyarrow.string(), pyarrow.float64()
        columns = [("path", text), ("start_seconds", number), ("end_seconds", number), ("label", text)]
        schema = pyarrow.schema([*columns, ("probability", number)])
        with write_file(file) as beside:
            parquet.write_table(pyarrow.Table.from_pylist(list(segment_rows(answered)), schema), beside)
