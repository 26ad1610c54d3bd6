"""What the API says of customers and bands is what the pipeline decided, taken to now."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from schemas.bands import Band
from schemas.outcomes import Outcome
from stream.partition.control import Kind
from stream.partition.ledger import decode_ledger
from stream.settings import DEFAULT_OUTCOMES
from tests.support.api import Deployment, deployment
from tests.support.learned import random_snapshot
from tests.support.world import START, World, touchpoint

DAY = 86_400


def send(made: Deployment, number: int, customer: str, at: float, kind: str = "purchase") -> None:
    """A touchpoint that happens and arrives at `at`."""
    made.world.wall = at
    made.world.send(customer, touchpoint(number, customer, kind, at), at)


async def get(made: Deployment, path: str, status: int = 200) -> Any:
    """The body of an answer."""
    async with made.client() as client:
        answer = await client.get(path)
    assert answer.status_code == status, answer.text
    return answer.json()


async def test_a_customer_is_told_with_bands_probabilities_and_reasons(tmp_path: Path) -> None:
    """Per outcome: band in force, since when, advice, and reasons that add up to the log-odds exactly."""
    async with deployment(tmp_path) as made:
        for number in range(4):
            send(made, number, "2281", START + number * DAY)
        await made.catch_up()

        found = await get(made, "/v1/customers/2281")

        published = [
            each for each in made.world.bodies("band-changes") if each["customer_id"] == "2281"
        ]
        latest = {each["outcome"]: each for each in published}
        assert [each["outcome"] for each in found["outcomes"]] == ["purchase", "coupon", "churn"]
        for each in found["outcomes"]:
            assert each["band"] == each["band_now"] == latest[each["outcome"]]["to"]
            assert each["came_from"] == latest[each["outcome"]]["from"]
            assert each["advice"] == latest[each["outcome"]]["advice"]
            assert each["moved"] == latest[each["outcome"]]["since_last_change"]
            millionths = round(each["base_log_odds"] * 1e6)
            millionths += sum(round(reason["contribution"] * 1e6) for reason in each["reasons"])
            assert millionths == round(each["log_odds"] * 1e6)
            assert all(reason["text"] for reason in each["reasons"])
            assert len(each["trend"]) == 5, "four scores, and the one of now"
            assert each["decided"]["age_seconds"] == 0
        for each in found["outcomes"]:
            assert (each["basis"], each["model_version"]) == ("prior", 0)


async def test_silence_counts_once_live(tmp_path: Path) -> None:
    """The probability as of now is what the pipeline says once that time has passed, to the last digit."""
    async with deployment(tmp_path) as made:
        send(made, 1, "2281", START)
        made.world.control(Kind.LIVE, START)
        await made.catch_up()
        made.world.wall = later = START + 9 * DAY + 17

        told = await get(made, "/v1/customers/2281")

        made.world.control(Kind.TICK, later)
        await made.catch_up()
        ledger = decode_ledger(made.world.store.partitions[made.home("2281")].ledger)
        then = await get(made, "/v1/customers/2281")
        assert ledger.clock == later * 1000
        assert told["live"] is True
        for now, decided in zip(told["outcomes"], then["outcomes"], strict=True):
            assert now["probability"] == decided["probability"]
            assert now["band_now"] == decided["band"]
            assert now["decided"]["age_seconds"] == 9 * DAY + 17
        assert any(each["band"] != each["band_now"] for each in told["outcomes"]), (
            "a worker that is behind shows"
        )


async def test_history_has_its_own_now(tmp_path: Path) -> None:
    """Before going live, now is the log's clock, however late it is here."""
    async with deployment(tmp_path) as made:
        send(made, 1, "2281", START)
        made.world.control(Kind.TICK, START + 3600)
        made.world.wall = START + 900 * DAY
        await made.catch_up()

        found = await get(made, "/v1/customers/2281")

        assert found["live"] is False
        assert found["as_of"] == "2023-11-14T23:13:20Z"


@pytest.mark.parametrize("path", ["/v1/customers/nobody", "/v1/customers/no/one%20%3F"])
async def test_unscored_is_a_state_of_its_own(tmp_path: Path, path: str) -> None:
    """A customer whom nothing has scored is a problem that says so, never a probability of 0."""
    async with deployment(tmp_path) as made, made.client() as client:
        answer = await client.get(path)

        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"
        problem = answer.json()
        assert (problem["type"], problem["state"]) == ("/problems/unscored", "unscored")
        assert "probability" not in problem


@pytest.mark.parametrize("customer", ["a b", "a/b", "ä?#%&+", "a/bands/c", "..x", "<b>"])
async def test_any_id_can_be_asked_for(tmp_path: Path, customer: str) -> None:
    """Whatever characters an id holds, percent-encoded it finds its customer, bands and all."""
    async with deployment(tmp_path) as made:
        send(made, 1, customer, START)
        await made.catch_up()

        found = await get(made, f"/v1/customers/{quote(customer, safe='')}")
        history = await get(made, f"/v1/customers/{quote(customer, safe='')}/bands")

        assert found["customer_id"] == history["customer_id"] == customer
        assert len(history["changes"]) == 3


@pytest.mark.parametrize("customer", [".", "..", "x/bands", "bands", "a/../b", "a b+c&id=d", "ä"])
async def test_ids_that_no_path_can_hold_are_asked_for_by_query(
    tmp_path: Path, customer: str
) -> None:
    """Asked for as `?id=` every id finds its customer, with what the path form tells of it."""
    async with deployment(tmp_path) as made:
        send(made, 1, "x", START)
        send(made, 2, customer, START)
        await made.catch_up()

        asked = f"id={quote(customer, safe='')}"
        found = await get(made, f"/v1/customer?{asked}")
        history = await get(made, f"/v1/customer/bands?{asked}")
        churn = await get(made, f"/v1/customer/bands?{asked}&outcome=churn&limit=1")
        by_path = await get(made, "/v1/customers/x")

        assert found["customer_id"] == history["customer_id"] == customer
        assert found == by_path | {"customer_id": customer}
        assert len(history["changes"]) == 3
        assert [each["outcome"] for each in churn["changes"]] == ["churn"]
        assert await get(made, "/v1/customer?id=x") == by_path


async def test_the_query_form_refuses_what_the_path_form_refuses(tmp_path: Path) -> None:
    """An id that cannot be, an unknown outcome and an unscored customer are the same problems in both forms."""
    async with deployment(tmp_path) as made:
        for bad in ("?id=%00", "?id=%20x", "?id=", f"?id={'x' * 300}", ""):
            assert (await get(made, f"/v1/customer{bad}", 422))["field"] == "id"
            assert (await get(made, f"/v1/customer/bands{bad}", 422))["field"] == "id"
        unscored = await get(made, "/v1/customer?id=nobody", 404)
        assert unscored == await get(made, "/v1/customers/nobody", 404)
        await get(made, "/v1/customer/bands?id=x&outcome=fame", 404)


@pytest.mark.parametrize("bad", ["%00", "a%07b", "%E2%80%8Bx", "%20x", "x" * 300])
async def test_an_id_that_cannot_be_is_refused(tmp_path: Path, bad: str) -> None:
    """An id that no touchpoint may carry is a problem, not a search."""
    async with deployment(tmp_path) as made:
        problem = await get(made, f"/v1/customers/{bad}", 422)
        assert problem["type"] == "/problems/invalid_request"
        assert problem["field"] == "customer_id"


async def test_the_history_of_bands_is_that_of_the_topic(tmp_path: Path) -> None:
    """All band changes of a customer, the latest first, each as it was published."""
    async with deployment(tmp_path) as made:
        for number in range(3):
            send(made, number, "2281", START + number * DAY)
        made.world.control(Kind.TICK, START + 60 * DAY)
        await made.catch_up()

        found = (await get(made, "/v1/customers/2281/bands"))["changes"]
        churn = (await get(made, "/v1/customers/2281/bands?outcome=churn&limit=2"))["changes"]

        published = [
            each for each in made.world.bodies("band-changes") if each["customer_id"] == "2281"
        ]
        keys = ["outcome", "from", "to", "probability", "previous_probability", "cause", "basis"]
        keys += ["model_version", "since_last_change"]
        assert sorted([str([each[key] for key in keys]) for each in found]) == sorted(
            [str([each[key] for key in keys]) for each in published]
        )
        assert [each["decided_at"] for each in found] == sorted(
            (each["decided_at"] for each in found), reverse=True
        )
        assert {each["cause"] for each in found} == {"event", "silence"}
        assert [each["outcome"] for each in churn] == ["churn", "churn"]
        await get(made, "/v1/customers/2281/bands?outcome=fame", 404)


async def _pages(made: Deployment, path: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = await get(made, f"{path}&cursor={cursor}" if cursor else path)
        found += page["customers"]
        if page["next"] is None:
            return found
        cursor = page["next"]


@pytest.mark.parametrize("order", ["probability", "moved"])
@pytest.mark.parametrize("limit", [1, 3, 7, 50])
async def test_pages_of_a_band_hold_everybody_once(tmp_path: Path, order: str, limit: int) -> None:
    """However long a page is, all of them together are the customers in the band, in order, each once."""
    async with deployment(tmp_path) as made:
        for number in range(40):
            kind = "purchase" if number % 3 else "web_visit"
            send(made, number, f"c{number % 17}", START + number // 4 * 3000, kind)
        await made.catch_up()
        info = (await get(made, "/v1/outcomes"))["outcomes"][0]
        key = {"probability": "probability", "moved": "since"}[order]
        seen = 0
        for band in info["bands"]:
            path = (
                f"/v1/bands/purchase/{band['band'].replace(' ', '-')}?order={order}&limit={limit}"
            )
            found = await _pages(made, path)
            assert len({each["customer_id"] for each in found}) == len(found) == band["customers"]
            values = [each[key] for each in found]
            assert values == sorted(values, reverse=True)
            seen += len(found)
        assert seen == 17


async def test_a_cursor_of_another_list_is_refused(tmp_path: Path) -> None:
    """A cursor that was made for another order, or by nobody, is a problem that names it."""
    async with deployment(tmp_path) as made:
        for number in range(3):
            send(made, number, f"c{number}", START)
        await made.catch_up()
        band = made.world.bodies("band-changes")[0]["to"].replace(" ", "-")
        outcome = made.world.bodies("band-changes")[0]["outcome"]
        following = (await get(made, f"/v1/bands/{outcome}/{band}?limit=1"))["next"]
        for cursor in (following, "x", "WzFd", "%C3%A4"):
            path = f"/v1/bands/{outcome}/{band}?order=moved&cursor={cursor}"
            assert (await get(made, path, 422))["field"] == "cursor"


@pytest.mark.parametrize("path", ["/v1/bands/fame/high", "/v1/bands/purchase/huge", "/v1/nothing"])
async def test_what_is_not_there_is_a_problem(tmp_path: Path, path: str) -> None:
    """An unknown outcome, band or path is answered with a problem of status 404."""
    async with deployment(tmp_path) as made:
        assert (await get(made, path, 404))["type"] == "/problems/not_found"


async def test_outcomes_are_those_of_the_settings(tmp_path: Path) -> None:
    """Names, horizons, cuts and advice of all outcomes, the deployment's own words included."""
    own = Outcome(
        name="review", horizon_days=14, types=("review",), advice={Band.HIGH: "Ask for a photo."}
    )
    async with deployment(tmp_path, World(partitions=1, outcomes=(own,), rules=())) as made:
        (info,) = (await get(made, "/v1/outcomes"))["outcomes"]

        assert (info["outcome"], info["horizon_days"], info["kind"]) == ("review", 14, "occurrence")
        assert info["types"] == ["review"]
        assert [each["low"] for each in info["bands"]] == [0.0, *own.cuts]
        assert [each["high"] for each in info["bands"]] == [*own.cuts, 1.0]
        assert info["bands"][3]["advice"] == "Ask for a photo."


async def test_customers_are_found_by_the_beginning_of_their_id(tmp_path: Path) -> None:
    """A search box gets the ids that begin so, in order, and nothing that only holds the letters."""
    async with deployment(tmp_path) as made:
        for number, customer in enumerate(("22", "221", "2%", "122", "ä1", "äöü", "22\U0001f600")):
            send(made, number, customer, START)
        await made.catch_up()

        assert (await get(made, "/v1/customers?prefix=22"))["customers"] == [
            "22",
            "221",
            "22\U0001f600",
        ]
        assert (await get(made, "/v1/customers?prefix=22&limit=1"))["customers"] == ["22"]
        assert (await get(made, "/v1/customers?prefix=%C3%A4"))["customers"] == ["ä1", "äöü"]
        assert (await get(made, "/v1/customers?prefix=2%25"))["customers"] == ["2%"]
        await get(made, "/v1/customers?prefix=", 422)


async def test_a_customer_is_scored_by_the_models_in_force(tmp_path: Path) -> None:
    """An outcome whose model has been learned is told by it, with its version; the others by the prior."""
    async with deployment(tmp_path) as made:
        world = made.world
        vectorizer = world.pipeline.vectorizer
        world.pipelines.library.add(random_snapshot(DEFAULT_OUTCOMES[0], vectorizer, 7, seed=1))
        send(made, 1, "2281", START)
        world.control(Kind.ADOPT, START, what="model:purchase", version=7)
        send(made, 2, "2281", START + DAY)
        await made.catch_up()

        purchase, *others = (await get(made, "/v1/customers/2281"))["outcomes"]

        (score,) = [each for each in world.bodies("scores") if each["cause"] == "event"][-1:]
        assert (purchase["basis"], purchase["model_version"]) == ("learned", 7)
        assert {(each["basis"], each["model_version"]) for each in others} == {("prior", 0)}
        assert purchase["probability"] == score["scores"][0]["probability"]
        told = sum(round(each["contribution"] * 1e6) for each in purchase["reasons"])
        assert round(purchase["base_log_odds"] * 1e6) + told == round(purchase["log_odds"] * 1e6)


async def test_a_model_that_is_not_known_here_is_said(tmp_path: Path) -> None:
    """Where the log has adopted a model that this process has not, nothing is made up."""
    async with deployment(tmp_path) as made:
        send(made, 1, "2281", START)
        await made.catch_up()
        partition = made.world.store.partitions[made.home("2281")]
        partition.ledger = (partition.ledger or b"").replace(
            b'"versions":{}', b'"versions":{"model:purchase":7}'
        )

        problem = await get(made, "/v1/customers/2281", 503)

        assert problem["type"] == "/problems/unavailable"
        assert "version 7" in problem["detail"]
