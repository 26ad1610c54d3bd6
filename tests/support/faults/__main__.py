"""`make simulate`: thousands of schedules a minute, or one of them again, to look at.

python -m tests.support.faults --minutes 5 --seed 1     everything, by chance from that seed on
python -m tests.support.faults --seed 4711 --partitions 2 --records 14
python -m tests.support.faults --seed 4711 --delivery exactly_once
python -m tests.support.faults --faults 17:lost:0,25:crash:1
python -m tests.support.faults --owners 5:2,2,1,f2,1
"""

from __future__ import annotations

import logging
import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from typing import Final

from rich.console import Console

from tests.support.faults.mutants import MUTATIONS
from tests.support.faults.mutants_exactly import EXACTLY_ONCE_MUTATIONS
from tests.support.faults.orders import Given
from tests.support.faults.owners import Duel
from tests.support.faults.promises import result_of
from tests.support.faults.run import EXACTLY_ONCE, SOUND, Mutation, Run
from tests.support.faults.schedule import Schedule
from tests.support.faults.simulate import simulate
from tests.support.faults.sweep import Fault, Sweep

_DELIVERIES: Final = {"at_least_once": SOUND, "exactly_once": EXACTLY_ONCE}
_WITHOUT: Final = {name: made for name, _, made in (*MUTATIONS, *EXACTLY_ONCE_MUTATIONS)}


def _arguments() -> Namespace:
    parser = ArgumentParser(
        prog="python -m tests.support.faults",
        description=__doc__,
        formatter_class=RawDescriptionHelpFormatter,
    )
    names = list(_WITHOUT)
    parser.add_argument("--minutes", type=float, help="simulate for so long")
    parser.add_argument("--seed", type=int, default=1, help="of the schedule, or the first one")
    parser.add_argument("--partitions", type=int, default=1, help="of the seed's log")
    parser.add_argument("--records", type=int, default=14, help="of the seed's log, about")
    parser.add_argument(
        "--faults", metavar="CALL:KIND:MUCH,...", help="show a run with these faults"
    )
    parser.add_argument("--owners", metavar="BEGIN:ORDER", help="show two owners in this order")
    parser.add_argument(
        "--delivery",
        choices=list(_DELIVERIES),
        help="of the owner; for --minutes, both unless given",
    )
    parser.add_argument("--without", choices=names, metavar="SAFEGUARD", help=f"{names}")
    return parser.parse_args()


def _one(arguments: Namespace, mutation: Mutation) -> Run:
    """The schedule that is to be shown."""
    if arguments.faults:
        faults = [each.split(":") for each in arguments.faults.split(",")]
        return Sweep(tuple(Fault(int(at), kind, int(much)) for at, kind, much in faults), mutation)
    if arguments.owners:
        begin, _, order = arguments.owners.partition(":")
        chosen = order.split(",") if order else []
        return Duel(int(begin), len(chosen), Given(chosen), mutation)
    return Schedule(arguments.seed, arguments.partitions, mutation, arguments.records)


def _show(schedule: Run, console: Console) -> int:
    """Print what happened in a run, call by call, and what it broke."""
    found = result_of(schedule)
    for number, line in enumerate(found.notes.story, 1):
        fault = line.startswith("--") or line.endswith(")")
        console.print(f"{number:5} {line}", style="yellow" if fault else "", highlight=False)
    for line in found.broken:
        console.print(line, style="red", highlight=False)
    if not found.broken:
        console.print("all promises were kept", style="green")
    return 1 if found.broken else 0


def main() -> int:
    """Exit status 1 where a promise was broken."""
    arguments, console = _arguments(), Console()
    logging.getLogger("bandshift.worker").setLevel(logging.CRITICAL)
    mutations = [SOUND, EXACTLY_ONCE]
    if arguments.without:
        mutations = [_WITHOUT[arguments.without]]
    elif arguments.delivery:
        mutations = [_DELIVERIES[arguments.delivery]]
    if arguments.minutes is None:
        return _show(_one(arguments, mutations[0]), console)
    return simulate(arguments.minutes, arguments.seed, mutations, console)


if __name__ == "__main__":
    sys.exit(main())
