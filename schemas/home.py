"""Every customer has one home: the partition that Kafka's own clients choose for the customer's id."""

from __future__ import annotations

from struct import unpack_from

_MIX = 0x5BD1E995
_MASK = 0xFFFFFFFF


def murmur2(data: bytes) -> int:
    """32-bit MurmurHash2 as Apache Kafka's Java client computes it (`Utils.murmur2`), unsigned."""
    length = len(data)
    words = length >> 2
    hashed = 0x9747B28C ^ length
    for word in unpack_from(f"<{words}I", data):
        mixed = (word * _MIX) & _MASK
        mixed = ((mixed ^ (mixed >> 24)) * _MIX) & _MASK
        hashed = ((hashed * _MIX) & _MASK) ^ mixed
    if length & 3:
        rest = int.from_bytes(data[words << 2 :], "little")
        hashed = ((hashed ^ rest) * _MIX) & _MASK
    hashed = ((hashed ^ (hashed >> 13)) * _MIX) & _MASK
    return hashed ^ (hashed >> 15)


def home(customer_id: str, partitions: int) -> int:
    """The partition in which everything about this customer happens.

    librdkafka's default partitioner is another one (CRC32): set `partitioner=murmur2_random` there.
    """
    return (murmur2(customer_id.encode()) & 0x7FFFFFFF) % partitions
