"""The segments as a Parquet table; a folder of such files is one dataset. Needs the extra `parquet`."""

from __future__ import annotations

from pathlib import Path

from typing_extensions import override

from vidrnn.atomic import write_file
from vidrnn.outputs.base import Answered, Output, segment_rows


class Parquet(Output):
    """Has the columns of the CSV, with types."""

    suffix = ".parquet"
    needs = "pyarrow"

    @override
    def write(self, answered: Answered, file: Path) -> None:
        import pyarrow
        from pyarrow import parquet

        text, number = pyarrow.string(), pyarrow.float64()
        columns = [("path", text), ("start_seconds", number), ("end_seconds", number), ("label", text)]
        schema = pyarrow.schema([*columns, ("probability", number)])
        table = pyarrow.Table.from_pylist(list(segment_rows(answered, file)), schema)
        with write_file(file) as beside:
            parquet.write_table(table, beside)
