"""Every error that bandshift raises for a user to read."""

from __future__ import annotations


class BandshiftError(Exception):
    """Something went wrong that a person can put right.

    The message is one sentence and says what is wrong; `hint` says what to do about it,
    where there is something to say.
    """

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class EmbeddedError(BandshiftError):
    """The embedded Kafka or Redis, or the demo's data, could not be had."""


class SettingsError(BandshiftError):
    """A setting is missing or wrong."""


class StoreError(BandshiftError):
    """Redis does not answer, or is set up so that customers' states could be lost."""


class RefusedError(BandshiftError):
    """The partition is not this owner's any more, or the store is not where the owner left it."""


class BrokerError(BandshiftError):
    """Kafka does not answer, or its topics are not as they must be."""


class NotAMemberError(BrokerError):
    """The process is no longer a member of its consumer group."""


class LogLostError(BrokerError):
    """The log no longer reaches back to where the states end: going on would be wrong."""


class StuckError(BandshiftError):
    """A partition stands still with work at hand, and nothing in this process will mend it."""


class ProducerSpentError(BrokerError):
    """The broker refused what was sent, and will take nothing more of it from this producer."""


class TouchpointFileError(BandshiftError):
    """A file of touchpoints cannot be read, or its rows must not be sent as they are."""


class DemoError(BandshiftError):
    """The demo cannot begin or go on."""


class ModelError(BandshiftError):
    """There is no such outcome, version or challenger."""


class EvaluationError(BandshiftError):
    """A log cannot be evaluated."""
