"""Reading what aiokafka stumbles over: record headers whose name is not UTF-8.

Kafka lets any bytes be a header's name. aiokafka 0.14 decodes it while unpacking a fetch, so one such record
raises from every poll, for ever, and stops all partitions of its consumer. Here the rest of that fetch is
unpacked once more by hand, with lone surrogates for the bytes that are no UTF-8: a dead letter keeps them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.record.default_records import _DefaultRecordBatchPy as Batch
from aiokafka.record.util import decode_varint
from aiokafka.structs import ConsumerRecord

_BASE = 12
"""Bytes of a batch before what its length counts: base offset and the length itself."""


class _Kept(fetcher.MemoryRecords):  # type: ignore[misc]
    """Keeps the bytes of a fetch beside what is unpacked from them."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.data = data


class _Tolerant(fetcher.PartitionRecords):  # type: ignore[misc]
    """The records of one fetch of one partition."""

    next_fetch_offset: int
    _aborted_transactions: list[Any]
    _aborted_producers: set[int]

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._all_aborted: list[Any] = list(self._aborted_transactions)

    def __next__(self) -> Any:
        try:
            return super().__next__()
        except UnicodeDecodeError:
            self._records_iterator = self._by_hand()
            return super().__next__()

    def _by_hand(self) -> Iterator[Any]:
        data, begin = memoryview(self._records.data), 0
        self._aborted_transactions = self._all_aborted
        self._aborted_producers.clear()
        while begin + _BASE <= len(data):
            end = begin + _BASE + int.from_bytes(data[begin + 8 : begin + _BASE], "big")
            if end > len(data):
                return  # cut off by the fetch: it comes whole with the next
            batch = Batch(data[begin:end])
            begin = end
            if not self._took_back(batch) and not batch.is_control_batch:
                for record in _records(batch, self._tp):
                    if record.offset >= self.next_fetch_offset:
                        self.next_fetch_offset = record.offset + 1
                        yield record
            self.next_fetch_offset = max(self.next_fetch_offset, batch.next_offset)

    def _took_back(self, batch: Any) -> bool:
        """Whether a batch is of a transaction that was taken back, as the client itself finds out."""
        if self._isolation_level != fetcher.READ_COMMITTED or batch.producer_id is None:
            return False
        self._consume_aborted_up_to(batch.base_offset)
        if batch.is_control_batch and self._contains_abort_marker(batch):
            self._aborted_producers.discard(batch.producer_id)
        return bool(batch.is_transactional and batch.producer_id in self._aborted_producers)


def _records(batch: Any, tp: Any) -> Iterator[Any]:
    """The records of a batch (https://kafka.apache.org/documentation/#record)."""
    batch._maybe_uncompress()  # noqa: SLF001
    read = _Reader(batch._buffer, batch._pos)  # noqa: SLF001
    by_broker = batch.timestamp_type == batch.LOG_APPEND_TIME
    for _ in range(batch._num_records):  # noqa: SLF001
        read.number()  # length
        read.number()  # attributes, unused
        passed, further = read.number(), read.number()
        key, value = read.bytes(), read.bytes()
        headers = tuple(
            ((read.bytes() or b"").decode("utf-8", "surrogateescape"), read.bytes())
            for _ in range(read.number())
        )
        yield ConsumerRecord(
            tp.topic,
            tp.partition,
            batch.base_offset + further,
            batch.max_timestamp if by_broker else batch.first_timestamp + passed,
            batch.timestamp_type,
            key,
            value,
            None,
            -1 if key is None else len(key),
            -1 if value is None else len(value),
            headers,
        )


class _Reader:
    def __init__(self, data: bytearray, at: int) -> None:
        self._data = data
        self._at = at

    def number(self) -> int:
        found, self._at = decode_varint(self._data, self._at)
        return int(found)

    def bytes(self) -> bytes | None:
        length = self.number()
        if length < 0:
            return None
        begin, self._at = self._at, self._at + length
        return bytes(self._data[begin : self._at])


def install() -> None:
    """Let every aiokafka consumer of this process read so."""
    fetcher.MemoryRecords = _Kept
    fetcher.PartitionRecords = _Tolerant
