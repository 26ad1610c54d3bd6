"""A customer's home is where Kafka's own clients would put the customer's id."""

from __future__ import annotations

import pytest
from aiokafka.partitioner import DefaultPartitioner
from aiokafka.partitioner import murmur2 as theirs
from hypothesis import given
from hypothesis import strategies as st

from schemas.home import home, murmur2

# From the Java client's own tests of Utils.murmur2; there the numbers are signed.
JAVA = {
    b"21": -973_932_308,
    b"foobar": -790_332_482,
    b"a-little-bit-long-string": -985_981_536,
    b"a-little-bit-longer-string": -1_486_304_829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58_897_971,
    b"abc": 479_470_107,
}


@pytest.mark.parametrize("data", JAVA)
def test_murmur2_is_that_of_the_java_client(data: bytes) -> None:
    """Known hashes of the Java client come out the same."""
    assert murmur2(data) == JAVA[data] % 2**32


@given(st.binary(max_size=300))
def test_murmur2_is_that_of_aiokafka(data: bytes) -> None:
    """For any bytes the hash is the one that aiokafka computes."""
    assert murmur2(data) == theirs(data)


@given(st.text(st.characters(codec="utf-8"), max_size=80), st.integers(1, 1_000))
def test_home_is_where_aiokafka_sends_the_key(customer_id: str, partitions: int) -> None:
    """For any id and number of partitions, aiokafka's partitioner chooses the home."""
    every = list(range(partitions))
    assert home(customer_id, partitions) == DefaultPartitioner()(customer_id.encode(), every, every)
