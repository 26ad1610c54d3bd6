"""The generated parts of docs/ are current, and the schema files judge as the code does."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from schemas.rejections import Reason
from schemas.types import TypeRegistry
from scripts.generate_docs import COMMAND, ROOT, generated
from stream.features.layout import Layout
from stream.features.vector import Vectorizer
from tests.support.records import GOOD

FILES = generated()


@pytest.mark.parametrize("name", FILES)
def test_generated_files_are_current(name: str) -> None:
    """A generated file is what the code would write now."""
    path = ROOT / name
    current = path.is_file() and path.read_text(encoding="utf-8") == FILES[name]
    assert current, f"{name} is out of date: run `{COMMAND}`"


def test_no_schema_file_is_left_over() -> None:
    """docs/schemas holds the generated files and no others."""
    found = {f"docs/schemas/{path.name}" for path in (ROOT / "docs/schemas").glob("*.json")}
    assert found == {name for name in FILES if name.endswith(".json")}


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith(".json")])
def test_schema_files_are_valid_json_schema(name: str) -> None:
    """Each file is a JSON Schema of the dialect that it names."""
    schema = json.loads(FILES[name])
    assert schema["$schema"] == Draft202012Validator.META_SCHEMA["$id"]
    Draft202012Validator.check_schema(schema)


def test_the_features_page_lists_every_feature() -> None:
    """Each declared feature has a line in the table, in the order of the vector."""
    lines = FILES["docs/features.md"].splitlines()
    listed = [line.split("`")[1] for line in lines if line.startswith("| `")]
    assert listed == [feature.name for feature in Vectorizer(Layout(TypeRegistry())).features]


def test_the_rejections_page_lists_every_reason() -> None:
    """Each reason code has a line in the table."""
    page = FILES["docs/rejections.md"]
    assert all(f"\n| `{reason}` | " in page for reason in Reason)


@pytest.mark.parametrize(
    "more",
    [{}, {"value": 5, "currency": "EUR"}, {"stage": "purchase"}, {"value": None}, {"other": 1},
     {"customer_id": "Zoë 😀"}, {"attributes": {"a": [None]}}],
)  # fmt: skip
def test_the_touchpoint_schema_takes_good_touchpoints(more: dict[str, Any]) -> None:
    """A producer who validates against the file may send what is taken here."""
    schema = json.loads(FILES["docs/schemas/touchpoint.json"])
    assert Draft202012Validator(schema).is_valid(GOOD | more)


@pytest.mark.parametrize(
    "more",
    [{"customer_id": ""}, {"customer_id": " ann"}, {"customer_id": "a\nb"}, {"event_id": 7},
     {"customer_id": "a\u200bb"}, {"customer_id": "x" * 257}, {"value": "5"}, {"value": 1e10},
     {"currency": "eur"}, {"stage": "later"}, {"type": ""}, {"attributes": []}, {"channel": "x" * 65},
     {"occurred_at": 1_769_851_800}, {"occurred_at": None}],
)  # fmt: skip
def test_the_touchpoint_schema_refuses_bad_touchpoints(more: dict[str, Any]) -> None:
    """A producer who validates against the file learns of the same faults before sending."""
    schema = json.loads(FILES["docs/schemas/touchpoint.json"])
    assert not Draft202012Validator(schema).is_valid(GOOD | more)
