"""Records that cannot be scored, one of every kind: name, value, headers, reason code, field."""

from __future__ import annotations

from typing import Final, NamedTuple

from stream.broker.packing import Original
from stream.partition.control import CONTROL, SIGNATURE
from tests.support.world import START, touchpoint

DAY = 86_400
POISON: list[tuple[str, bytes | None, tuple[tuple[str, bytes | None], ...], str, str]] = [
    ("not UTF-8", b'{"event_id": "\xff"}', (), "not_utf8", "record"),
    ("not JSON", b"hello", (), "not_json", "record"),
    ("wrong shape", b"[1, 2]", (), "wrong_shape", "record"),
    ("missing field", b'{"event_id": "e", "type": "purchase"}', (), "missing_field", "customer_id"),
    ("unknown type", touchpoint(1, "a", "teleport", START), (), "unknown_type", "type"),
    (
        "no zone",
        touchpoint(1, "a", "purchase", START).replace(b"Z", b""),
        (),
        "time_without_zone",
        "occurred_at",
    ),
    (
        "unparsable",
        b'{"event_id":"e","customer_id":"a","type":"sms","occurred_at":"soon"}',
        (),
        "time_invalid",
        "occurred_at",
    ),
    ("ahead", touchpoint(1, "a", "purchase", START + 301), (), "time_ahead", "occurred_at"),
    (
        "too old",
        touchpoint(1, "a", "purchase", START - 91 * DAY),
        (),
        "time_too_old",
        "occurred_at",
    ),
    (
        "NaN",
        touchpoint(1, "a", "purchase", START, value=float("nan")),
        (),
        "value_invalid",
        "value",
    ),
    (
        "infinite",
        touchpoint(1, "a", "purchase", START, value=float("inf")),
        (),
        "value_invalid",
        "value",
    ),
    ("absurd", touchpoint(1, "a", "purchase", START, value=1e30), (), "value_invalid", "value"),
    ("empty id", touchpoint(1, "", "purchase", START), (), "customer_id_invalid", "customer_id"),
    (
        "long id",
        touchpoint(1, "a" * 257, "purchase", START),
        (),
        "customer_id_invalid",
        "customer_id",
    ),
    (
        "wide id",
        touchpoint(1, "ä" * 129, "purchase", START),
        (),
        "customer_id_invalid",
        "customer_id",
    ),
    (
        "control characters",
        touchpoint(1, "a\nb", "purchase", START),
        (),
        "customer_id_invalid",
        "customer_id",
    ),
    ("null value", None, (), "null_value", "record"),
    ("forged tick", None, ((CONTROL, b"tick"), (SIGNATURE, b"0" * 64)), "forged_control", CONTROL),
    ("unsigned live", None, ((CONTROL, b"live"),), "forged_control", CONTROL),
    (
        "too large",
        touchpoint(1, "a", "purchase", START, attributes={"x": "y" * 65_536}),
        (),
        "too_large",
        "record",
    ),
    ("at the topic's limit", b"x" * 262_000, (), "too_large", "record"),
    (
        "large headers",
        touchpoint(1, "a", "purchase", START),
        (("trace", b"y" * 65_536),),
        "too_large",
        "record",
    ),
    (
        "many empty headers",
        touchpoint(1, "a", "purchase", START),
        (("", b""),) * 32_768,
        "too_large",
        "record",
    ),
    ("a header without a value", b"hello", (("trace", None),), "not_json", "record"),
    ("a header of ours", b"hello", (("bandshift-dead-id", b"x"),), "not_json", "record"),
    (
        "nested 1,000 deep",
        touchpoint(1, "a", "purchase", START).replace(
            b"}", b', "attributes": ' + b'{"a":' * 1000 + b"1" + b"}" * 1001
        ),
        (),
        "too_deep",
        "record",
    ),
]


class Hidden(NamedTuple):
    """A record that fits the topic's limit only because it is compressed, and whether all of it can be kept."""

    name: str
    sent: Original
    whole: bool = True


_GOOD: Final = touchpoint(1, "a", "purchase", START)
HIDDEN: Final = [
    Hidden("a large value", Original(b"some key", b"x" * 1_100_000, ())),
    Hidden("a large key", Original(b"x" * 1_100_000, _GOOD, ())),
    Hidden("a large header", Original(b"some key", _GOOD, (("trace", b"y" * 400_000),))),
    Hidden("a larger header", Original(b"some key", _GOOD, (("trace", b"y" * 1_100_000),))),
    Hidden("a large name", Original(None, b"hello", (("y" * 1_100_000, None),))),
    Hidden("a bomb", Original(b"some key", bytes(20 << 20), ()), whole=False),
]
"""Each is good for `too_large` only."""
