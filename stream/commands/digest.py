"""bandshift digest."""

from __future__ import annotations

import click

from stream.commands.common import as_json, configured, emit, partitions_of, run, settings_for
from stream.settings import Settings
from stream.store.connect import connect
from stream.store.digest import Digest, digest


@click.command("digest")
@as_json
@configured
def command(as_json: bool, namespace: str | None) -> None:
    """Print one hash over all customers' states.

    Equal states give equal digests, in whatever order and over however many partitions they lie. So the
    digests of a namespace and of its replay tell whether both came to the same. Take it while no worker
    changes anything.
    """
    found = run(_digest(settings_for(namespace)))
    if as_json:
        emit({"digest": found.text, "customers": found.customers})
    else:
        click.echo(f"{found.text}  {found.customers} customers")


async def _digest(settings: Settings) -> Digest:
    partitions = await partitions_of(settings)
    store = connect(settings)
    try:
        return await digest(store, range(partitions))
    finally:
        await store.close()
