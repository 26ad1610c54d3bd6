"""Everything that the routes need, put together by `serve` or by a test."""

from __future__ import annotations

from dataclasses import dataclass

from stream.api.current import Current
from stream.api.describe import Describer
from stream.api.feed import Feed
from stream.api.intake import Intake
from stream.api.metrics import Metrics
from stream.api.models import Models
from stream.api.queries import Queries
from stream.api.watch import Watch
from stream.settings import ApiSettings


@dataclass(frozen=True)
class Parts:
    """One deployment's API."""

    settings: ApiSettings
    partitions: int
    current: Current
    describe: Describer
    feed: Feed
    intake: Intake
    metrics: Metrics
    models: Models
    queries: Queries
    watch: Watch
