"""What must hold before bandshift may work: for `bandshift doctor` to tell, for a worker to refuse.

Each check says what it found in one sentence, and what to do where something is wrong.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient

from schemas.decisions import Decisions
from stream.broker import client, learners, rebuilds, setup
from stream.broker.group import check_count, owners
from stream.broker.lag import Lag, lags
from stream.broker.topics import LIVE_CLOCK, Topics
from stream.errors import BandshiftError, LogLostError, SettingsError
from stream.partition.ledger import Ledger, decode_ledger
from stream.partition.loss import lost
from stream.partition.rebuilding import Pace, Place, Rebuilding, together
from stream.pipeline import SETTINGS
from stream.settings import CONFIG_VARIABLE, Settings
from stream.store.connect import address, connect
from stream.store.redis import RedisStore

OLDEST_REDIS: Final = (6, 2)
_FULL: Final = 0.9
_PREFIX: Final = "BANDSHIFT_"
_LOOK_SECONDS: Final = 1.0
"""Between two looks at a rebuild, which tell its rate."""
_NO_SETTINGS: Final = frozenset((CONFIG_VARIABLE, "BANDSHIFT_CACHE"))


class Level(StrEnum):
    """How a check came out. A warning is no reason not to work."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True)
class Finding:
    """What one check found, in a sentence, and what to do about it."""

    check: str
    level: Level
    text: str
    hint: str | None = None


@dataclass
class Report:
    """All findings, and what was seen on the way."""

    findings: list[Finding] = field(default_factory=list)
    partitions: int | None = None
    lags: list[Lag] = field(default_factory=list)
    owners: dict[int, str] = field(default_factory=dict)
    learners: int = 0
    rebuilding: list[Rebuilding] = field(default_factory=list)
    """Partitions whose states are computed again from the log, one each."""

    @property
    def well(self) -> bool:
        """Whether nothing is wrong; warnings do not count."""
        return not any(found.level is Level.ERROR for found in self.findings)

    def note(self, check: str, level: Level, text: str, hint: str | None = None) -> None:
        """Add a finding."""
        self.findings.append(Finding(check, level, text, hint))


async def require(settings: Settings) -> None:
    """Raise the first thing that keeps a worker from working, as a BandshiftError."""
    report = await examine(settings, thorough=False)
    for found in report.findings:
        if found.level is Level.ERROR:
            raise BandshiftError(found.text, found.hint)


async def examine(settings: Settings, *, thorough: bool = True) -> Report:
    """Look at everything; with `thorough` also at what does not keep a worker from starting."""
    report, topics = Report(), Topics(settings.namespace)
    _check_settings(settings, report)
    try:
        store = connect(settings)
    except SettingsError as error:
        report.note("redis", Level.ERROR, str(error), error.hint)
        return report
    try:
        redis, kafka = Report(), Report()
        redis_answers, _ = await asyncio.gather(
            _check_redis(settings, store, redis),
            _check_kafka(settings, topics, kafka, thorough=thorough),
        )
        report.findings += kafka.findings + redis.findings
        report.partitions, report.owners = kafka.partitions, kafka.owners
        report.learners = kafka.learners
        if redis_answers and report.partitions:
            await _check_states(store, topics, report.partitions, settings.decisions, report)
            if thorough:
                await _check_learner(settings, store, topics, report)
                await _check_lag(settings, store, topics, report)
                await _check_rebuild(settings, store, topics, report)
    finally:
        await store.close()
    return report


def _check_settings(settings: Settings, report: Report) -> None:
    for name in unknown_variables(os.environ):
        hint = "look at the names that `bandshift doctor` lists"
        report.note("settings", Level.WARNING, f"{name} is set, but there is no such setting", hint)
    try:
        settings.control_key()
    except SettingsError as error:
        report.note("control key", Level.ERROR, str(error), error.hint)
    else:
        report.note("control key", Level.OK, "a key to sign control records is set")


def unknown_variables(environment: Iterable[str]) -> list[str]:
    """Variables that look like settings and are none: pydantic passes over them without a word."""
    known = {f"{_PREFIX}{name}".upper() for name in Settings.model_fields}
    return sorted(
        name
        for name in environment
        if name.upper().startswith(_PREFIX)
        and name.upper().split("__")[0] not in known
        and name not in _NO_SETTINGS
    )


# -- Redis -----------------------------------------------------------------------------------------------


async def _check_redis(settings: Settings, store: RedisStore, report: Report) -> bool:
    where = address(settings.redis)
    try:
        info = await store.settings()
    except BandshiftError as error:
        cause = type(error.__cause__).__name__ if error.__cause__ else "none"
        report.note(
            "redis",
            Level.ERROR,
            f"Redis at {where}: expected an answer, got {cause}",
            "start Redis, or set BANDSHIFT_REDIS__URL (the password is part of it)",
        )
        return False
    version = info.get("redis_version", "0")
    report.note("redis", Level.OK, f"Redis {version} at {where} answers")
    if tuple(int(part) for part in version.split(".")[:2] if part.isdigit()) < OLDEST_REDIS:
        oldest = ".".join(map(str, OLDEST_REDIS))
        report.note(
            "redis version",
            Level.ERROR,
            f"Redis: expected version {oldest} or later, got {version}",
            "use a newer Redis",
        )
    _check_memory(info, report)
    return True


def _check_memory(info: dict[str, str], report: Report) -> None:
    policy = info.get("maxmemory_policy", "unknown")
    if policy == "noeviction":
        report.note("redis policy", Level.OK, "Redis evicts nobody (maxmemory-policy noeviction)")
    else:
        report.note(
            "redis policy",
            Level.ERROR,
            f"Redis: expected maxmemory-policy noeviction, got {policy}; a full Redis would forget customers",
            "run: redis-cli config set maxmemory-policy noeviction, and put it into redis.conf",
        )
    if info.get("aof_enabled") == "1":
        report.note("redis file", Level.OK, "Redis writes an append-only file")
    else:
        report.note(
            "redis file",
            Level.WARNING,
            "Redis keeps no append-only file; after a crash all states are computed from the log again",
            "put appendonly yes into redis.conf",
        )
    limit, used = int(info.get("maxmemory", "0")), int(info.get("used_memory", "0"))
    if limit and used > _FULL * limit:
        report.note(
            "redis memory",
            Level.WARNING,
            f"Redis uses {used / limit:.0%} of its maxmemory; when it is full, the workers stop",
            "raise maxmemory",
        )


# -- Kafka -----------------------------------------------------------------------------------------------


async def _check_kafka(
    settings: Settings, topics: Topics, report: Report, *, thorough: bool
) -> None:
    where = settings.kafka.bootstrap
    try:
        async with client.admin(settings.kafka) as admin:
            report.note("kafka", Level.OK, f"Kafka at {where} answers")
            await _check_topics(admin, topics, report)
            if report.partitions:
                await _check_offsets(admin, topics, report.partitions, report)
            if thorough and report.partitions:
                report.owners = await owners(admin, topics)
                report.learners = await learners.members(admin, topics)
    except BandshiftError as error:
        report.note("kafka", Level.ERROR, str(error), error.hint)


async def _check_offsets(
    admin: AIOKafkaAdminClient, topics: Topics, partitions: int, report: Report
) -> None:
    try:
        await check_count(admin, topics, partitions)
    except LogLostError as error:
        report.note("offsets", Level.ERROR, str(error), error.hint)


async def _check_topics(admin: AIOKafkaAdminClient, topics: Topics, report: Report) -> None:
    try:
        report.partitions = await setup.partitions(admin, topics)
    except BandshiftError as error:
        report.note("topics", Level.ERROR, str(error), error.hint)
        return
    differing, clock = await setup.differing(admin, topics), await setup.clock(admin, topics)
    names = topics.declared()
    models = sum(name.startswith(topics.name("model-")) for name in names)
    text = f"{len(names)} topics of {report.partitions} partitions, {models} of them for models; "
    text += "touchpoints are stamped by "
    text += "the broker (live)" if clock == LIVE_CLOCK else "their producers (history)"
    report.note("topics", Level.OK, text)
    for name, wrong in differing.items():
        declared = topics.declared()[name]
        told = ", ".join(f"{key}={declared[key]} (it is {wrong[key] or 'unset'})" for key in wrong)
        report.note(
            "topic settings",
            Level.WARNING,
            f"Kafka: topic {name}: expected {told}",
            "run: bandshift topics --repair",
        )


# -- both ------------------------------------------------------------------------------------------------


async def _check_states(
    store: RedisStore, topics: Topics, partitions: int, own: Decisions, report: Report
) -> None:
    try:
        found = [decode_ledger(each.ledger) for each in await store.standings(range(partitions))]
    except BandshiftError as error:
        report.note("states", Level.ERROR, str(error), error.hint)
        return
    made = {ledger.partitions for ledger in found if ledger.partitions}
    if made - {partitions}:
        report.note(
            "states",
            Level.ERROR,
            f"{topics.touchpoints}: the states were made with {max(made - {partitions})} partitions, now there "
            f"are {partitions}; customers' homes have moved",
            "copy the log into a new namespace with that many partitions: bandshift rebuild --namespace next",
        )
    elif any(ledger.settings not in {"", own.text} for ledger in found):
        report.note(
            "decisions",
            Level.WARNING,
            "the types, outcomes or rules in force are others than these settings have",
            "they come from the log; to change them, run: bandshift adopt",
        )
    elif any(ledger.partitions and SETTINGS not in ledger.versions for ledger in found):
        report.note(
            "decisions",
            Level.WARNING,
            "the log does not say which types, outcomes and rules decide: a worker that rebuilds would go by its own",
            "to write them into the log, run: bandshift adopt",
        )
    else:
        text = "no states yet" if not made else f"states of {len(made) and partitions} partitions"
        report.note("states", Level.OK, text)


async def _check_learner(
    settings: Settings, store: RedisStore, topics: Topics, report: Report
) -> None:
    if not settings.learning.enabled:
        report.note("learner", Level.OK, "learning is off")
        return
    partitions = report.partitions or 0
    names = [outcome.name for outcome in settings.outcomes]
    try:
        ledgers = [decode_ledger(each.ledger) for each in await store.standings(range(partitions))]
        async with client.reader(settings.kafka) as consumer:
            known = await learners.known_to(consumer, topics.model_snapshots, partitions, names)
    except BandshiftError as error:
        report.note("learner", Level.ERROR, str(error), error.hint)
        return
    tell_learner(report, ledgers, known, topics.namespace)


def tell_learner(report: Report, ledgers: Sequence[Ledger], known: int, namespace: str) -> None:
    """Note who learns, and how far behind; `known`: up to when the models know labels, in seconds since 1970."""
    told = min((ledger.known_to for ledger in ledgers), default=0)
    # All labels up to then are out only where every partition says so.
    behind = max(0, told - known) / 3600 if known else None
    if not told:
        text = "no label is known yet"
    elif behind is None:
        text = "there is no model yet"
    else:
        text = f"models are {behind:,.0f} h of the log behind the labels that are known"
    if report.learners:
        report.note("learner", Level.OK, f"{report.learners} at work; {text}")
    else:
        hint = learners.ways_out(namespace)
        report.note("learner", Level.WARNING, f"no learner is at work; {text}", hint)


async def _check_lag(settings: Settings, store: RedisStore, topics: Topics, report: Report) -> None:
    partitions = report.partitions or 0
    try:
        async with client.reader(settings.kafka) as consumer:
            report.lags = await lags(consumer, store, topics, partitions)
    except BandshiftError as error:
        report.note("lag", Level.ERROR, str(error), error.hint)
        return
    behind = sum(lag.behind for lag in report.lags)
    alone = [str(number) for number in range(partitions) if number not in report.owners]
    if alone and behind:
        report.note(
            "workers",
            Level.WARNING,
            f"{behind} records wait, and no worker owns partition {', '.join(alone)}",
            "start one: bandshift worker"
            + (f" --namespace {topics.namespace}" if topics.namespace else ""),
        )
    else:
        who = len(set(report.owners.values()))
        report.note("workers", Level.OK, f"{who} at work, {behind} records behind the log")


async def _check_rebuild(
    settings: Settings, store: RedisStore, topics: Topics, report: Report
) -> None:
    partitions, pace, loop = report.partitions or 0, Pace(), asyncio.get_running_loop()
    try:
        async with (
            client.admin(settings.kafka) as admin,
            client.reader(settings.kafka) as consumer,
        ):
            found = await rebuilds.places(admin, consumer, store, topics, partitions)
            report.rebuilding = pace.look(loop.time(), found)
            if report.rebuilding:
                await asyncio.sleep(_LOOK_SECONDS)
                found = await rebuilds.places(admin, consumer, store, topics, partitions)
                report.rebuilding = pace.look(loop.time(), found)
        clocks = [
            decode_ledger(each.ledger).clock for each in await store.standings(range(partitions))
        ]
    except BandshiftError as error:
        report.note("rebuild", Level.ERROR, str(error), error.hint)
        return
    level = Level.WARNING if settings.worker.accept_loss else Level.ERROR
    tell_rebuild(report, found, clocks, level)


def tell_rebuild(
    report: Report, places: Sequence[Place], clocks: Sequence[int], level: Level
) -> None:
    """Note what is rebuilt from the log, and what cannot be (at this level)."""
    whole = together(report.rebuilding)
    missing = False
    for number, (place, clock) in enumerate(zip(places, clocks, strict=True)):
        loss = lost(number, place.position, place.begin, clock)
        if loss is not None:
            report.note("log", level, loss.text, loss.hint)
            missing = True
    if whole is not None:
        still = ""
        if not whole.rate and whole.rate is not None:
            still = f"; nothing has moved for {_LOOK_SECONDS:.0f} s"
        report.note(
            "rebuild",
            Level.WARNING,
            f"{whole.text(len(places))}{still}",
            "nothing is published until it is done, and the API answers `rebuilding`; workers must be running",
        )
    elif not missing:
        report.note("rebuild", Level.OK, "states reach as far as what was committed")
