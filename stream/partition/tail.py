"""By what a partition's log is known again: the last record that was taken in.

A topic that was deleted and created again has the same name and, sooner or later, the same offsets. What lies
just before the position is another record then.
"""

from __future__ import annotations

from hashlib import blake2b

from stream.partition.intake import Record


def tail_of(record: Record) -> str:
    """A hash of a record's time, key and value, as 16 hexadecimal digits."""
    key, value = record.key or b"", record.value or b""
    found = blake2b(b"%d %d " % (record.timestamp, len(key)), digest_size=8)
    found.update(key)
    found.update(value)
    return found.hexdigest()
