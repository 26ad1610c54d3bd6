"""Snapshots and model events keep to their schemas."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from schemas.model import ModelEvent, ModelSnapshot
from scripts.generate_docs import json_schema
from stream.model.snapshot import decode_snapshot
from tests.support.models import event, snapshot, written


def test_a_snapshot_keeps_to_the_json_schema() -> None:
    """The documented schema takes a full snapshot and one without metrics or what resuming needs, and misses every other field."""
    validator = Draft202012Validator(json.loads(json_schema("model-snapshot")))
    whole = snapshot()
    assert list(validator.iter_errors(whole)) == []
    for name in whole:
        less = {each: value for each, value in whole.items() if each != name}
        assert validator.is_valid(less) == (name in {"metrics", "resume"}), name


def test_an_event_keeps_to_the_json_schema() -> None:
    """The documented schema takes an event, and misses any of its fields."""
    validator = Draft202012Validator(json.loads(json_schema("model-event")))
    whole = event()
    assert list(validator.iter_errors(whole)) == []
    back = ModelEvent.model_validate_json(written(whole))
    assert json.loads(back.model_dump_json(by_alias=True)) == whole
    for name in whole["data"]:
        if name != "details":
            less = {each: value for each, value in whole["data"].items() if each != name}
            assert not validator.is_valid(whole | {"data": less}), name


@pytest.mark.parametrize("layout", [{}, {"indent": 3}, {"sort_keys": True}])
def test_a_snapshot_reads_back_whole(layout: dict[str, Any]) -> None:
    """The schema and scoring read the same record, whatever its layout, and the schema keeps every field."""
    record = snapshot(champion="bayes-0.998 é")
    text = json.dumps(record, **layout)
    back = ModelSnapshot.model_validate_json(text)
    assert json.loads(back.model_dump_json(by_alias=True, exclude_unset=True)) == record
    assert decode_snapshot(text.encode()).champion == record["champion"]
