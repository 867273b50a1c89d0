"""
The files that are checked in: what the second writer makes of each combination.

Run by itself, it makes them anew; what is different then is to be read, line by line, before it is handed in.
"""

import json
from pathlib import Path
from typing import Any

from unit.batch.formats.csv_combinations import combinations
from unit.batch.formats.csv_reference import file_of
from unit.batch.formats.csv_table import TABLES

FILE = Path(__file__).with_name("csv_goldens.jsonl")


def goldens() -> list[tuple[str, dict[str, Any], bytes]]:
    """Read them: the table, the options, the file."""
    lines = [json.loads(line) for line in FILE.read_text(encoding="utf-8").split("\n") if line]
    return [(line["table"], line["options"], line["file"].encode(_encoding(line["options"]))) for line in lines]


def _encoding(options: dict[str, Any]) -> str:
    """Bytes of UTF-16 are kept one by one, so that their order is."""
    return "latin-1" if options.get("encoding") == "UTF-16" else "utf-8"


if __name__ == "__main__":
    made = [(table, options, file_of(TABLES[table], options)) for table, options in combinations()]
    lines = [
        json.dumps({"table": table, "options": options, "file": file.decode(_encoding(options))}, ensure_ascii=False)
        for table, options, file in made
    ]
    FILE.write_text("\n".join(lines).replace("\u2028", "\\u2028") + "\n", encoding="utf-8")
