"""bandshift score."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import click

from schemas.bands import UNSCORED
from schemas.home import home
from stream.broker import client
from stream.broker.snapshots import read_snapshots
from stream.broker.topics import Topics
from stream.commands.common import (
    as_json,
    configured,
    customer_id,
    emit,
    partitions_of,
    run,
    settings_for,
)
from stream.commands.style import Style, clock, coloured, percent, printable
from stream.errors import StoreError
from stream.features.codec import UnreadableStateError, decode
from stream.model.evaluate import Evaluation, evaluate
from stream.model.linear import PRIOR
from stream.model.reasons import COMBINED
from stream.partition.control import Signer
from stream.partition.ledger import Ledger, decode_ledger
from stream.pipeline import Pipelines
from stream.settings import Settings
from stream.store.connect import connect

_NOTHING: Final = 0.005
"""What would be printed as 0.00."""


@click.command("score")
@click.argument("customer", callback=customer_id)
@as_json
@configured
def command(customer: str, as_json: bool, namespace: str | None) -> None:
    """Show a customer's bands, probabilities and reasons as of now.

    Silence counts: time since the last touchpoint is taken in. While history is being imported, now is the
    time that the log has reached.
    """
    settings = settings_for(namespace)
    at, found = run(_score(settings, customer))
    if as_json:
        emit(as_data(customer, at, found))
    else:
        click.echo("\n".join(lines(customer, at, found, Style(colour=coloured()))))


async def _score(settings: Settings, customer: str) -> tuple[int, Sequence[Evaluation]]:
    """The time (seconds since 1970) and the scores as of it; no scores for a customer who is unscored."""
    partitions = await partitions_of(settings)
    partition, store = home(customer, partitions), connect(settings)
    try:
        data = await store.read(partition, customer)
        (standing,) = await store.standings([partition])
    finally:
        await store.close()
    ledger = decode_ledger(standing.ledger)
    now = max(ledger.clock // 1000, int(time.time()) if ledger.live else 0)
    if data is None:
        return now, ()
    pipelines = Pipelines(settings.decisions, Signer(b"", ""), partitions)
    await _read_models(settings, pipelines, ledger)
    pipeline, model = pipelines.in_force(ledger)
    try:
        (state,) = decode([(customer, data)], pipeline.vectorizer.layout, len(pipeline.outcomes))
    except UnreadableStateError as error:
        raise StoreError(
            f"Redis: expected a state made by the decisions in force, got a {error}",
            "use the release of the running workers",
        ) from None
    return now, evaluate(state, pipeline.models, model, pipeline.outcomes, now)


async def _read_models(settings: Settings, pipelines: Pipelines, ledger: Ledger) -> None:
    """The snapshots that the partition's scores rest on, as far as there are such."""
    wanted = {each for each in pipelines.get(ledger.settings).wanted(ledger) if each[1]}
    if wanted:
        async with client.reader(settings.kafka) as consumer:
            topic = Topics(settings.namespace).model_snapshots
            for snapshot in await read_snapshots(consumer, topic, pipelines.partitions, wanted):
                pipelines.library.add(snapshot)


def as_data(customer: str, at: int, found: Sequence[Evaluation]) -> dict[str, Any]:
    """The scores as plain data."""
    return {
        "customer_id": customer,
        "as_of": datetime.fromtimestamp(at, UTC).isoformat(),
        "scores": [
            {
                "outcome": each.outcome.name,
                "horizon_days": each.outcome.horizon_days,
                "band": each.band or UNSCORED,
                "band_now": each.band_now,
                "probability": each.probability,
                "log_odds": each.log_odds,
                "base_log_odds": each.base_log_odds,
                "basis": each.basis,
                "model_version": each.model_version,
                "advice": each.outcome.advise(each.band or each.band_now),
                "reasons": list(each.reasons),
            }
            for each in found
        ],
    }


def lines(customer: str, at: int, found: Sequence[Evaluation], style: Style) -> list[str]:
    """The scores to read."""
    head = f"{style.strong(printable(customer))}  {style.dim(f'as of {clock(at * 1000)} UTC')}"
    if not found:
        return [head, f"{style.band(UNSCORED)}: no touchpoint of this customer has been taken in"]
    told = [head]
    for each in found:
        told += [
            "",
            f"{_what(each)}: {_band(each, style)} {percent(each.probability)}",
            f"  {each.outcome.advise(each.band or each.band_now)}",
        ]
        told += [
            f"  {reason['contribution']:+6.2f}  {reason['family']}: {reason['text']}"
            for reason in each.reasons
            if reason["family"] != COMBINED or abs(reason["contribution"]) >= _NOTHING
        ]
        told.append(style.dim(f"  {each.base_log_odds:+6.2f}  {_base(each)}"))
    return told


def _band(each: Evaluation, style: Style) -> str:
    """The band that was published; where the workers are behind, also the one that is coming."""
    band = style.band(each.band or each.band_now)
    if each.band in {None, each.band_now}:
        return band
    return f"{band} (moving to {style.band(each.band_now)})"


def _base(each: Evaluation) -> str:
    if each.basis == PRIOR:
        return "where everybody starts"
    return f"where a usual customer stands ({each.basis}, version {each.model_version})"


def _what(each: Evaluation) -> str:
    return f"{each.outcome.name} in {each.outcome.horizon_days} days"
