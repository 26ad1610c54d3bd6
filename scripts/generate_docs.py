"""Writes the parts of docs/ that the code knows best: `make docs-generate`.

JSON Schema files of what comes in and goes out, the table of features, and the reasons of rejections.
A test fails while they are not what this writes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel

from schemas.intake_answer import IntakeAnswer
from schemas.model import ModelEvent, ModelSnapshot
from schemas.outputs import BandChangeEvent, ScoreEvent, TriggerEvent
from schemas.rejections import MEANINGS, Reason
from schemas.touchpoint import Touchpoint
from schemas.types import DEFAULT_TYPES, TypeRegistry
from scripts.cli_page import cli_page
from stream.broker.deadletters import PREFIX
from stream.broker.packing import MOST_PACKED, MOST_PLAIN
from stream.features.grid import WINDOWS
from stream.features.layout import Layout
from stream.features.vector import Vectorizer

COMMAND: Final = "make docs-generate"
ROOT: Final = Path(__file__).resolve().parents[1]
_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_MADE: Final = f"<!-- Written by `{COMMAND}`; a change here is lost. -->"
_Mode = Literal["validation", "serialization"]
_MODELS: Final[Mapping[str, tuple[type[BaseModel], _Mode]]] = {
    "touchpoint": (Touchpoint, "validation"),
    "score": (ScoreEvent, "serialization"),
    "band-change": (BandChangeEvent, "serialization"),
    "trigger": (TriggerEvent, "serialization"),
    "intake-answer": (IntakeAnswer, "serialization"),
    "model-snapshot": (ModelSnapshot, "validation"),
    "model-event": (ModelEvent, "serialization"),
}
"""By file name: what is read may leave out what has a default; what is written holds everything.

A snapshot leaves out what is not known yet.
"""

_ESCAPED: Final = (
    "the value of an original header that cannot stand under its own name, for it begins with "
    f"`{PREFIX}` or is no UTF-8; `<name>` is percent-encoded"
)
_PACKED: Final = (
    f"`zlib`: the record was too large to be kept as it was (more than {MOST_PLAIN:,} bytes), so the value "
    "is zlib data of a MessagePack array of key, value and the pairs of header name and value"
)
_CUT: Final = (
    f"too large even so, or more than {MOST_PACKED >> 20} MiB: only its beginning was kept; bytes of key, "
    "headers and value together, and a hash of the whole value"
)


def generated() -> dict[str, str]:
    """All generated files: path from the root of the repository -> content."""
    files = {f"docs/schemas/{name}.json": json_schema(name) for name in _MODELS}
    files["docs/features.md"] = features_page()
    files["docs/rejections.md"] = rejections_page()
    files["docs/cli.md"] = cli_page(_MADE)
    return files


def json_schema(name: str) -> str:
    """The JSON Schema file of one kind of record."""
    model, mode = _MODELS[name]
    schema: dict[str, Any] = {"$schema": _DIALECT, **model.model_json_schema(mode=mode)}
    if model is Touchpoint:
        schema["properties"]["type"]["examples"] = [kind.name for kind in DEFAULT_TYPES]
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def features_page() -> str:
    """The table of all declared features, for the built-in touchpoint types."""
    vectorizer = Vectorizer(Layout(TypeRegistry()))
    windows = _table(
        ("window", "looks back", "in tiles of"),
        ((window.name, _span(window.seconds), _span(window.tile)) for window in WINDOWS),
    )
    features = _table(
        ("name", "family", "meaning", "unit", "window", "scale"),
        (
            (
                f"`{feature.name}`",
                feature.family,
                feature.meaning,
                feature.unit,
                feature.window or "all that is kept",
                f"{feature.scale:.3f}",
            )
            for feature in vectorizer.features
        ),
    )
    return f"""{_MADE}
# Features

What a score rests on: {len(vectorizer.features)} numbers per customer with the built-in touchpoint types;
each type that a deployment adds brings {len(WINDOWS) + 1} more. A feature is log(1 + number) divided by
its scale, a constant, so that nothing about other customers enters; a negative sum of values keeps its
sign. Reasons are summed by family. The list itself is `stream/features/declared.py`.

Numbers are kept in tiles of time. Counts are exact whatever the order of arrival, but a window ends at
the edge of a tile, so it reaches back up to one tile further:

{windows}

Each customer's days begin at an hour of their own, so that not everybody falls due at midnight.

## All of them

{features}
"""


def rejections_page() -> str:
    """The reason codes, in words."""
    table = _table(
        ("reason", "what is wrong", "what to do"),
        (
            (f"`{reason}`", f"{MEANINGS[reason].title}.", MEANINGS[reason].remedy)
            for reason in Reason
        ),
    )
    headers = _table(
        ("header", "holds"),
        (
            (f"`{PREFIX}reason`", "the reason code"),
            (f"`{PREFIX}field`", "the field at fault, or `record`"),
            (f"`{PREFIX}detail`", "one sentence: the field and what was expected there"),
            (f"`{PREFIX}topic`, `-partition`, `-offset`", "where the record was read"),
            (f"`{PREFIX}timestamp`", "the record's time there, in milliseconds since 1970"),
            (f"`{PREFIX}id`", "the same for the same record, however often it is rejected"),
            (f"`{PREFIX}name-<name>`", _ESCAPED),
            (f"`{PREFIX}null`", "the record had neither key nor value"),
            (f"`{PREFIX}packed`", _PACKED),
            (f"`{PREFIX}whole`, `-sha256`", _CUT),
        ),
    )
    return f"""{_MADE}
# Rejections

A touchpoint that cannot be scored is not lost. The HTTP intake answers with the reason, as a problem
(RFC 9457) whose type is `/problems/<reason>`. A record on Kafka goes to the topic `touchpoints-dlq` with
its original bytes, key and headers ([what is kept](how-to/dead-letters.md#what-is-kept)). The codes are stable: programs may rely on them, and should expect
new ones.

{table}

## Headers of a dead letter

{headers}
"""


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _span(seconds: int) -> str:
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        number = seconds // size
        if number:
            return f"{number} {unit}{'s' if number > 1 else ''}"
    return f"{seconds} seconds"


def main() -> None:
    """Write what has changed, and say what that was."""
    for name, content in generated().items():
        path = ROOT / name
        if not path.exists() or path.read_text(encoding="utf-8") != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
            print(f"wrote {name}")


if __name__ == "__main__":
    main()
