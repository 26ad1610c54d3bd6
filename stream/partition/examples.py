"""Examples on their way: what was predicted is packed with them, and labels that are known go out as records."""

from __future__ import annotations

import struct
from base64 import b64encode
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec

from schemas.outcomes import Outcome
from stream.features.pending import Pending
from stream.model.labels import Label, Labelled
from stream.model.linear import MILLION
from stream.partition.bodies import Envelope, Example, StageLabel, Watermark
from stream.partition.outputs import CONTENT_TYPE, EXAMPLES, SOURCE, Output, output_id

EXAMPLE: Final = "bandshift.example.v1"
WATERMARK: Final = "bandshift.watermark.v1"
_PREDICTED: Final = struct.Struct("<II")
_encode = msgspec.json.Encoder().encode


def predict(version: int, probability: int, stages: Sequence[int]) -> bytes:
    """What was predicted of one outcome, packed: version, probability, and log-odds of each stage (millionths)."""
    return _PREDICTED.pack(version, probability) + struct.pack(f"<{len(stages)}i", *stages)


class ExampleRecords:
    """Makes the records of `examples`."""

    def __init__(self, outcomes: Sequence[Outcome], features: str) -> None:
        """`features` is the hash of the list of features."""
        self._outcomes = tuple(outcomes)
        self._ends = tuple(outcome.stage_ends for outcome in outcomes)
        self._features = features
        self._schema = bytes.fromhex(features)[:4]

    def example(
        self, customer_id: str, labelled: Labelled, at: int, partition: int, sequence: int
    ) -> Output:
        """The record of an example's labels that are known since `at` (seconds since 1970)."""
        pending = labelled.pending  # it may have been opened before types were added
        stages = ",".join(f"{label.place}:{label.stage}" for label in labelled.labels)
        data = Example(
            customer_id,
            _moment(pending.opened),
            _moment(at),
            partition,
            sequence,
            self._features if pending.features == self._schema else pending.features.hex(),
            b64encode(pending.vector).decode(),
            [self._label(label, pending) for label in labelled.labels],
        )
        identity = output_id(customer_id, "", "example", str(pending.opened), stages, str(at))
        return _record(identity, EXAMPLE, customer_id, at, partition, data)

    def _label(self, label: Label, pending: Pending) -> StageLabel:
        outcome = self._outcomes[label.place]
        ends = self._ends[label.place]
        predicted = pending.predicted[label.place]
        version, probability = _PREDICTED.unpack_from(predicted)
        (log_odds,) = struct.unpack_from("<i", predicted, _PREDICTED.size + 4 * label.stage)
        return StageLabel(
            outcome.name,
            outcome.horizon_days,
            label.stage,
            ends[label.stage - 1] if label.stage else 0,
            ends[label.stage],
            label.at_risk,
            label.occurred,
            label.final,
            probability / MILLION,
            log_odds / MILLION,
            version,
        )


def watermark(partition: int, known_to: int, sequence: int, *, adopts: bool) -> Output:
    """The record that says: all labels of a partition known up to `known_to` are out.

    `adopts`: models take effect there by *adopt* records.
    """
    data = Watermark(partition, _moment(known_to), sequence, adopts)
    identity = output_id("", "", "watermark", str(partition), "", str(known_to))
    return _record(identity, WATERMARK, "", known_to, partition, data)


def _record(
    identity: str, kind: str, subject: str, at: int, partition: int, data: Example | Watermark
) -> Output:
    envelope = Envelope(
        "1.0", identity, SOURCE, kind, subject, _moment(at), "application/json", subject, data
    )
    return Output(EXAMPLES, partition, subject.encode(), _encode(envelope), CONTENT_TYPE)


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
