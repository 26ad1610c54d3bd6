"""What services that run until told to stop have in common."""

from __future__ import annotations

import logging

from stream.commands.service import Seldom


def line(name: str, text: str, *values: object) -> logging.LogRecord:
    """A log line."""
    return logging.LogRecord(name, logging.ERROR, "", 0, text, values, None)


def test_what_a_library_repeats_is_said_seldom() -> None:
    """The same words with whatever figures are said once in ten seconds, other words at once, and ours always."""
    now = 0.0
    seldom = Seldom(clock=lambda: now)
    said = []
    for number in range(25):
        now = float(number)
        said.append(seldom.filter(line("aiokafka.client", "Unable to connect to node %s", number)))
        assert seldom.filter(line("bandshift.worker", "partition 3: taken over again"))
    assert [number for number, each in enumerate(said) if each] == [0, 10, 20]
    assert seldom.filter(line("aiokafka.client", "Something else"))
