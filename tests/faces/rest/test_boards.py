"""Boards: columns, sums, first rows, and the way on from each column."""

from __future__ import annotations

import json
import random
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest

from app.areas import CATALOGUE
from app.language.resources.board import groupable
from app.language.resources.resource import Resource
from tests.faces.rest.conftest import Api, code

DEALS = "/v1/opportunities"


async def board(api: Api, query: str, path: str = DEALS, **who: Any) -> list[Any]:
    response = await api.get(f"{path}:grouped?{query}", **who)
    assert response.status_code == 200, response.text
    return response.json()["groups"]


async def test_a_board_shows_every_stage_in_order(api: Api) -> None:
    await api.post(f"{DEALS}/crm:d9:close_won")
    await api.post(f"{DEALS}/crm:d8:close_lost")
    columns = await board(api, "group_by=stage_id&limit=3&sort=name&expand=account")
    assert [(x["label"], x["count"], len(x["data"])) for x in columns] == [
        ("Open", 7, 3), ("Deep", 0, 0), ("Won", 1, 1), ("Lost", 1, 1),
    ]  # fmt: skip
    first = columns[0]
    assert first["amount_home"] == sum(100 * i + 0.25 for i in range(1, 8)) == 2801.75
    assert first["weighted_home"] == 2801.75 / 4
    assert (columns[1]["amount_home"], columns[1]["weighted_home"]) == (0, 0)
    assert columns[2]["weighted_home"] == columns[2]["amount_home"] == 900.25
    assert (columns[3]["weighted_home"], columns[3]["amount_home"]) == (0, 800.25)
    assert [x["name"] for x in first["data"]] == ["Deal 1", "Deal 2", "Deal 3"]
    assert first["data"][0]["account"]["name"] == "Acme"
    assert columns[2]["next_cursor"] is None


@pytest.mark.parametrize("by", ["stage_id", "owner_id", "category", "loss_reason", "credited_owner_id"])
async def test_columns_add_up_to_the_list_and_lead_on_in_it(api: Api, by: str) -> None:
    await api.post(f"{DEALS}/crm:d9:close_won")
    await api.post(f"{DEALS}/crm:d8:close_lost", {"loss_reason": "price"})
    for filters in ("", "amount[gte]=200&account.industry=retail&"):
        listed = await api.data(f"{DEALS}?{filters}sort=-amount")
        columns = await board(api, f"group_by={by}&limit=1&sort=-amount&{filters}")
        assert sum(x["count"] for x in columns) == len(listed)
        for column in columns:
            mine = [x for x in listed if x[by] == column["key"]]
            assert column["count"] == len(mine)
            assert column["amount_home"] == sum(x["amount_home"] for x in mine)
            got = column["data"]
            condition = f"{by}[is_null]=true" if column["key"] is None else f"{by}={column['key']}"
            cursor = column["next_cursor"]
            assert (cursor is not None) == (len(mine) > 1)
            while cursor:
                page = await api.get(f"{DEALS}?{condition}&sort=-amount&{filters}limit=2&cursor={cursor}")
                assert page.status_code == 200, page.text
                got += page.json()["data"]
                cursor = page.json()["next_cursor"]
            assert [x["id"] for x in got] == [x["id"] for x in mine]


async def test_a_condition_on_the_pipeline_leaves_its_stages(api: Api) -> None:
    await api.upsert("pipelines", [{"external_id": "q", "name": "Another"}])
    await api.upsert("stages", [{"external_id": "qs", "name": "Else", "pipeline_id": "crm:q"}])
    labels = [x["label"] for x in await board(api, "group_by=stage_id")]
    assert sorted(labels) == ["Deep", "Else", "Lost", "Open", "Won"]
    for query, expected in (
        ("pipeline_id=crm:q", ["Else"]),
        ("pipeline_id=crm:p&category=open", ["Open", "Deep"]),
        ("pipeline_id=crm:p&stage.category=won", ["Won"]),
    ):
        assert [x["label"] for x in await board(api, f"group_by=stage_id&{query}")] == expected


async def test_labels_and_empty_columns_of_each_kind(api: Api) -> None:
    columns = await board(api, "group_by=forecast_category")
    assert [x["label"] for x in columns][:2] == ["Pipeline", "Best case"]
    assert (columns[-1]["key"], columns[-1]["label"], columns[-1]["count"]) == (None, None, 9)
    flags = await board(api, "group_by=is_default", "/v1/pipelines")
    assert [(x["key"], x["label"], x["count"]) for x in flags] == [(True, "Yes", 1), (False, "No", 0)]
    assert "amount_home" not in flags[0]
    values = [
        {"external_id": f"v{i}", "field": "account.industry", "value": v, "label": label, "position": i}
        for i, (v, label) in enumerate([("medical", "Medicine"), ("energy", "Energy"), ("retail", "Shops")])
    ]
    await api.upsert("picklist_values", values)
    industries = await board(api, "group_by=industry", "/v1/accounts")
    assert [(x["label"], x["count"]) for x in industries] == [("Medicine", 1), ("Energy", 0), ("Shops", 1)]
    owners = await board(api, "group_by=owner_id")
    assert [x["label"] for x in owners] == ["Otto Other", "Rep 1", "Rep 2"]


async def test_a_board_holds_what_its_reader_sees(api: Api) -> None:
    mine = await board(api, "group_by=stage_id", role="rep", rep="r1")
    assert (mine[0]["label"], mine[0]["count"]) == ("Open", 3)
    assert mine[0]["amount_home"] == 300 + 600 + 900 + 0.75
    team = await board(api, "group_by=owner_id", role="manager", rep="boss")
    assert [(x["label"], x["count"]) for x in team] == [("Rep 1", 3), ("Rep 2", 3)]
    narrow = await api.get(f"{DEALS}:grouped?group_by=owner_id", scopes=("opportunities:read",))
    assert code(narrow) == (403, "forbidden")


async def test_what_a_board_refuses(api: Api) -> None:
    for query, refusal in (
        ("", "required"),
        ("group_by=name", "not_in_list"),
        ("group_by=amount_home", "not_in_list"),
        ("group_by=stage_id&limit=51", "out_of_range"),
        ("group_by=stage_id&cursor=x", "unknown_parameter"),
        ("group_by=stage_id&sort=nome", "unknown_sort"),
    ):
        assert code(await api.get(f"{DEALS}:grouped?{query}")) == (422, refusal), query


async def test_a_board_of_nobodys_is_404(api: Api) -> None:
    answer = await api.get(f"{DEALS}:grouped?group_by=stage_id&owner_id=crm:nobody")
    assert code(answer) == (404, "not_found")


async def test_amounts_as_text(api: Api) -> None:
    columns = await board(api, "group_by=stage_id&money=string&amount[lte]=200")
    assert columns[0]["amount_home"] == "100.25"


@pytest.mark.parametrize("noun", list(CATALOGUE), ids=lambda x: x.plural)
async def test_every_noun_by_each_of_its_fields(empty: Api, noun: Resource) -> None:
    for name in groupable(noun, "admin"):
        response = await empty.get(f"/v1/{noun.plural}:grouped?group_by={name}")
        assert response.status_code == 200, (name, response.text)


RATES = (
    ("EUR", "2026-01-10", "1.0833333333"),
    ("EUR", "2026-02-20", "1.1799999999"),
    ("GBP", "2026-02-01", "1.3"),
)
"""None for yen, nor for euros and pounds before these days."""


def in_dollars(deal: dict[str, Any]) -> Decimal | None:
    """What a list shows as `amount_home`, worked out by hand; deals that are open stand at the latest rate."""
    if deal["amount"] is None or deal["currency"] == "USD":
        return deal["amount"]
    day = (deal["closed_at"] or "9999")[:10]
    known = [rate for currency, on, rate in RATES if currency == deal["currency"] and on <= day]
    return (deal["amount"] * Decimal(known[-1])).quantize(Decimal("0.0001"), ROUND_HALF_UP) if known else None


@pytest.mark.parametrize("by", ["stage_id", "category", "owner_id", "competitor"])
async def test_sums_are_those_of_the_rows(api: Api, by: str) -> None:
    await api.upsert("exchange_rates", [
        {"external_id": f"{c}{on}", "from_currency": c, "to_currency": "USD", "on_day": on, "rate": float(rate)}
        for c, on, rate in RATES
    ] + [{"external_id": "gone", "from_currency": "JPY", "to_currency": "USD", "on_day": "2025-01-01", "rate": 2,
          "deleted": True}])  # fmt: skip
    dice = random.Random(7)
    deals = [
        {
            "external_id": f"many{i}",
            "name": f"One of many {i}",
            "owner_id": dice.choice(["crm:r1", "crm:r2"]),
            "amount": dice.choice([None, dice.randrange(10**8) / 10**4]),
            "currency": (currency := dice.choice(["USD", "EUR", "GBP", "JPY"])),
            "competitor": "Nintendo" if currency == "JPY" else None,
            "probability": dice.choice([None, 0.5, 0.35]),
            "stage_id": (stage := dice.choice(["crm:open", "crm:won", "crm:lost"])),
            "opened_at": "2026-01-01",
            "closed_at": None
            if stage == "crm:open"
            else f"2026-{dice.choice(['01-09', '01-10', '02-19', '02-20'])}",
        }
        for i in range(200)
    ]
    assert (await api.upsert("opportunities", deals))["counts"]["created"] == len(deals)
    listed = await api.get(f"{DEALS}?expand=stage", headers={"accept": "application/x-ndjson"})
    rows = [json.loads(line, parse_float=Decimal) for line in listed.text.splitlines()]
    assert len(rows) == len(deals) + 9
    for row in rows:
        assert row["amount_home"] == in_dollars(row), row
    columns = json.loads((await api.get(f"{DEALS}:grouped?group_by={by}")).text, parse_float=Decimal)[
        "groups"
    ]
    assert [x for x in columns if x["count"]]
    for column in columns:
        mine = [x for x in rows if x[by] == column["key"]]
        worth = [(x["amount_home"], chance(x)) for x in mine if x["amount_home"] is not None]
        assert column["count"] == len(mine)
        if not mine or worth:
            assert column["amount_home"] == sum(home for home, _ in worth)
            assert column["weighted_home"] == sum(home * by for home, by in worth)
        else:
            assert column["amount_home"] is column["weighted_home"] is None
    if by == "competitor":
        yen = next(x for x in columns if x["key"])
        assert yen["count"]
        assert yen["amount_home"] is yen["weighted_home"] is None


def chance(deal: dict[str, Any]) -> Any:
    if deal["category"] != "open":
        return int(deal["category"] == "won")
    return deal["stage"]["probability"] if deal["probability"] is None else deal["probability"]
