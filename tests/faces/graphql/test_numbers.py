"""Numbers: what they come to, which rows they come from, what they are."""

# ruff: noqa: E501 - documents are kept on one line

from __future__ import annotations

from app.areas import METRIC_CATALOGUE
from tests.faces.graphql.conftest import Api


async def test_a_number_by_month_and_rep(api: Api) -> None:
    document = """query ($by: [String!]) {
        metrics(names: ["bookings", "win_rate"], period: "2026-Q1", grain: "month", by: $by, totals: true) {
            rows { rowKey metric periodStart periodEnd dimensions value numerator denominator n unit nullReason excluded inferred total }
            meta { timezone currency fx asOf knownAt dataThrough definitions }
        }
    }"""
    found = (await api.data(document))["metrics"]
    booked = {x["periodStart"]: x for x in found["rows"] if x["metric"] == "bookings" and not x["total"]}
    assert {start: row["value"] for start, row in booked.items()} == {
        "2026-01-01": 0,
        "2026-02-01": 401,
        "2026-03-01": 0,
    }
    assert booked["2026-02-01"]["periodEnd"] == "2026-03-01"
    [rate] = [x for x in found["rows"] if x["metric"] == "win_rate" and x["periodStart"] == "2026-02-01"]
    assert (rate["value"], rate["numerator"], rate["denominator"], rate["unit"]) == (1, 1, 1, "ratio")
    empty = next(x for x in found["rows"] if x["metric"] == "win_rate" and x["periodStart"] == "2026-01-01")
    assert empty["value"] is None
    assert empty["nullReason"] == "zero_denominator"
    assert found["meta"]["currency"] == "USD"
    assert set(found["meta"]["definitions"]) == {"bookings", "win_rate"}
    rows = (await api.data(document, {"by": ["rep"]}))["metrics"]["rows"]
    won = [x for x in rows if x["value"] == 401 and not x["total"]]
    assert [x["dimensions"]["rep"]["name"] for x in won] == ["Rep 1"]


async def test_filters_of_numbers(api: Api) -> None:
    document = """query ($filter: MetricFilter) { metrics(names: ["open_deals"], filter: $filter) { rows { value } } }"""

    async def value(**filter_: list[str | None]) -> int:
        return (await api.data(document, {"filter": filter_}))["metrics"]["rows"][0]["value"]

    assert await value() == 9
    assert await value(account=["Acme"]) == 5
    assert await value(rep=["crm:other", "Rep 2"]) == 6
    assert await value(manager=["crm:boss"]) == 7
    assert await value(territory=[None]) == 9
    refused = await api.refusal(document, {"filter": {"account": ["Nobody"]}})
    assert refused["extensions"]["status"] in (404, 422)
    unknown = await api.refusal('{ metrics(names: ["bokings"], period: "2026") { rows { n } } }')
    assert (unknown["extensions"]["code"], unknown["extensions"]["status"]) == ("unknown_metric", 422)


async def test_who_is_credited_and_what_it_was(api: Api) -> None:
    document = """query ($filter: MetricFilter) {
        metrics(names: ["bookings"], period: "2026-Q1", by: ["rep"], attribution: "split", restated: true, filter: $filter) {
            rows { value dimensions restated { value change } } meta { attribution }
        }
    }"""
    found = (await api.data(document))["metrics"]
    assert found["meta"]["attribution"] == "split"
    assert [(x["value"], x["restated"]["value"], x["restated"]["change"]) for x in found["rows"]] == [
        (401, 401, 0)
    ]
    refused = await api.refusal(
        document, {"filter": {"custom": [{"field": "custom.region", "values": ["x"]}]}}
    )
    assert refused["extensions"]["errors"][0]["code"] == "unknown_dimension"


async def test_the_rows_behind_a_number(api: Api) -> None:
    document = """query ($after: String) {
        explainMetric(name: "open_pipeline", first: 5, after: $after) {
            hasMore nextCursor rows { noun id label amount currency rate contribution excluded inferred }
        }
    }"""
    first = (await api.data(document))["explainMetric"]
    assert first["hasMore"]
    rest = (await api.data(document, {"after": first["nextCursor"]}))["explainMetric"]
    rows = first["rows"] + rest["rows"]
    assert not rest["hasMore"]
    assert sorted(x["label"] for x in rows) == [f"Deal {i}" for i in range(10) if i != 4]
    answered = (await api.data('{ metrics(names: ["open_pipeline"]) { rows { value } } }'))["metrics"][
        "rows"
    ][0]["value"]
    assert (
        sum(sum(x["contribution"].values()) for x in rows)
        == answered
        == sum(100.25 * i for i in range(10) if i != 4)
    )


async def test_the_catalogue_of_numbers(api: Api) -> None:
    found = await api.data(
        "{ metricCatalogue { name kind unit formula additive { time dimensions } dimensions { name noun } version } }"
    )
    assert [x["name"] for x in found["metricCatalogue"]] == list(METRIC_CATALOGUE.by_name)


async def test_each_sees_numbers_of_what_it_sees(api: Api) -> None:
    document = '{ metrics(names: ["open_deals"]) { rows { value } } }'
    values = [
        (await api.data(document, role=role, rep=rep))["metrics"]["rows"][0]["value"]
        for role, rep in (("admin", None), ("manager", "boss"), ("rep", "other"), ("rep", None))
    ]
    assert values == [9, 7, 2, 0]
    refused = await api.refusal(document, role="integration", scopes=("accounts:read",))
    assert refused["extensions"]["code"] == "forbidden"


async def test_descriptions(api: Api) -> None:
    found = (await api.data('{ describe(noun: "opportunity") }'))["describe"]
    assert found["plural"] == "opportunities"
    assert (await api.refusal('{ describe(noun: "opportunty") }'))["message"].endswith('"opportunity"?')
