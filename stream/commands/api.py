"""bandshift api."""

from __future__ import annotations

import click

from stream.api.serve import run as serve
from stream.commands.common import configured, settings_for
from stream.commands.service import log_to_stderr, until_stopped


@click.command("api")
@configured
def command(namespace: str | None) -> None:
    """Serve the HTTP API and the call-center page.

    On loopback unless api.host says otherwise; any other address needs api.token. Scoring does not depend
    on it.
    """
    settings = settings_for(namespace)
    log_to_stderr()
    until_stopped(lambda stop: serve(settings, stop))
