"""The log that is measured with: touchpoints of a made-up shop, the same ones for the same recipe.

Customers differ as they do in life: a few do a lot, most do little. What they do comes in journeys: a
mailing that is opened and leads to a visit, a visit that ends in a purchase, a purchase that is refunded
days later. Some tills report hours late.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import accumulate, chain
from random import Random
from typing import Any, Final, NamedTuple

import msgspec

DAY: Final = 86_400
START: Final = 1_735_689_600
"""2025-01-01T00:00:00Z."""
SEED: Final = 20_250_101
_SKEW: Final = 0.7
"""Customer number n does as much as n ** -0.7: of 5,000 the busiest does 2 % of everything."""
_encode = msgspec.json.encode


@dataclass(frozen=True)
class Recipe:
    """What a log is made from.

    With `each`, every customer does that many touchpoints; else there are `events` in all, skewed, and with
    `everybody` each customer appears. `scattered`: of a journey only one touchpoint is kept, so that the next
    one is nearly always another customer's.
    """

    events: int = 60_000
    customers: int = 5_000
    days: int = 90
    start: int = START
    each: int = 0
    scattered: bool = False
    everybody: bool = True
    seed: int = SEED


class Touch(NamedTuple):
    """One record of the log: its time (ms since 1970), who, and the touchpoint as JSON."""

    at: int
    customer: str
    value: bytes


class _Moment(NamedTuple):
    """One touchpoint of a journey: seconds after its beginning, and by how many it is reported late."""

    after: float
    type: str
    value: float | None = None
    late: float = 0.0


_CHANNELS: Final = {
    "email_sent": "e-mail",
    "email_open": "e-mail",
    "email_click": "e-mail",
    "web_visit": "web",
    "product_view": "web",
    "cart_add": "web",
    "purchase": "web",
    "review": "web",
    "refund": "web",
    "call_inbound": "phone",
    "call_outbound": "phone",
    "chat": "web",
    "support_ticket": "web",
    "point_of_sale": "store",
    "coupon_redeemed": "store",
    "campaign_received": "app",
    "postal_mail": "post",
}
_JOURNEYS: Final = ("mailing", "visit", "store", "care", "campaign")
_SHARES: Final = (25, 35, 26, 8, 6)


def touches(recipe: Recipe) -> list[Touch]:
    """The log, in the order of its records' times; no two logs of one recipe differ in a byte."""
    rng = Random(recipe.seed)
    found = list(_even(recipe, rng) if recipe.each else _skewed(recipe, rng))
    found.sort(key=lambda moment: moment[0])
    return [_touch(recipe, number, *each) for number, each in enumerate(found)]


_Happened = tuple[float, str, _Moment]
"""When its record is written (seconds since 1970), who, and what."""


def _skewed(recipe: Recipe, rng: Random) -> Iterator[_Happened]:
    names = [f"c{number:06d}" for number in range(recipe.customers)]
    weights = list(accumulate((number + 1) ** -_SKEW for number in range(recipe.customers)))
    drawn = iter(lambda: rng.choices(names, cum_weights=weights)[0], None)
    left = recipe.events
    for customer in chain(names if recipe.everybody else (), drawn):
        journey = _journey(recipe, rng, customer)
        if recipe.scattered and journey:
            journey = [rng.choice(journey)]
        yield from journey[:left]
        left -= len(journey[:left])
        if not left:
            return


def _even(recipe: Recipe, rng: Random) -> Iterator[_Happened]:
    for number in range(recipe.customers):
        left = recipe.each
        while left:
            journey = _journey(recipe, rng, f"c{number:06d}")[:left]
            yield from journey
            left -= len(journey)


def _journey(recipe: Recipe, rng: Random, customer: str) -> list[_Happened]:
    """One journey of a customer; what would lie beyond the log's days is left out."""
    begin = recipe.start + rng.randrange(recipe.days) * DAY + rng.triangular(6, 24, 18) * 3_600
    (kind,) = rng.choices(_JOURNEYS, _SHARES)
    moments = _MAKERS[kind](rng)
    happened = [(begin + each.after + each.late, customer, each) for each in moments]
    return [each for each in happened if each[0] < recipe.start + recipe.days * DAY]


def _touch(recipe: Recipe, number: int, at: float, customer: str, moment: _Moment) -> Touch:
    body: dict[str, Any] = {
        "event_id": f"{recipe.seed}-{number:07d}",
        "customer_id": customer,
        "type": moment.type,
        "channel": _CHANNELS[moment.type],
        "occurred_at": datetime.fromtimestamp(int(at - moment.late), UTC),
    }
    if moment.value is not None:
        body |= {"value": moment.value, "currency": "EUR"}
    body["attributes"] = {"source": f"{_CHANNELS[moment.type]}-{number % 7}", "country": "AT"}
    return Touch(int(at * 1000), customer, _encode(body))


# ---- journeys -------------------------------------------------------------------------------------------


def _money(rng: Random, usual: float) -> float:
    return round(rng.lognormvariate(0, 0.6) * usual, 2)


def _mailing(rng: Random) -> list[_Moment]:
    found = [_Moment(0, "email_sent")]
    if rng.random() < 0.4:
        opened = rng.expovariate(1 / 7_200)
        found.append(_Moment(opened, "email_open"))
        if rng.random() < 0.35:
            found.append(_Moment(opened + 20, "email_click"))
            found += _later(opened + 30, _visit(rng))
    return found


def _visit(rng: Random) -> list[_Moment]:
    found, after = [_Moment(0, "web_visit")], 0.0
    for _ in range(rng.randint(0, 3)):
        after += rng.expovariate(1 / 60)
        found.append(_Moment(after, "product_view"))
    if rng.random() < 0.5:
        found.append(_Moment(after + 30, "cart_add", _money(rng, 40)))
        if rng.random() < 0.6:
            paid = _money(rng, 55)
            found.append(_Moment(after + 300, "purchase", paid))
            found += _afterwards(rng, after + 300, paid)
    return found


def _store(rng: Random) -> list[_Moment]:
    late = rng.uniform(600, 6 * 3_600) if rng.random() < 0.1 else 0.0
    paid = _money(rng, 25)
    found = [_Moment(0, "point_of_sale", paid, late)]
    if rng.random() < 0.2:
        found.append(_Moment(1, "coupon_redeemed", _money(rng, 4), late))
    return found


def _afterwards(rng: Random, after: float, paid: float) -> list[_Moment]:
    if rng.random() < 0.1:
        return [_Moment(after + rng.uniform(2, 14) * DAY, "refund", -paid)]
    if rng.random() < 0.1:
        return [_Moment(after + rng.uniform(1, 20) * DAY, "review")]
    return []


def _care(rng: Random) -> list[_Moment]:
    (first,) = rng.choices(("call_inbound", "chat", "support_ticket"), (5, 3, 2))
    found = [_Moment(0, first)]
    if rng.random() < 0.3:
        found.append(_Moment(rng.uniform(1, 48) * 3_600, "call_outbound"))
    return found


def _campaign(rng: Random) -> list[_Moment]:
    found = [_Moment(0, rng.choice(("campaign_received", "postal_mail")))]
    if rng.random() < 0.2:
        found += _later(rng.uniform(1, 10) * DAY, _store(rng))
    return found


def _later(by: float, moments: list[_Moment]) -> list[_Moment]:
    return [each._replace(after=each.after + by) for each in moments]


_MAKERS: Final = {
    "mailing": _mailing,
    "visit": _visit,
    "store": _store,
    "care": _care,
    "campaign": _campaign,
}
