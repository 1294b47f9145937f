"""`groups(by:)`: the same columns as the list itself gives, and the way on from each of them."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from app.areas import CATALOGUE
from app.faces.graphql.names import camel, type_name
from app.language.resources.board import groupable
from tests.faces.graphql.conftest import Api

KINDS = {"choice": "{}", "reference": '"{}"', "picklist": '"{}"'}


async def closed(api: Api) -> None:
    await api.data('mutation { closeWonOpportunity(id: "crm:d9") { outcome } }')
    await api.data(
        'mutation { closeLostOpportunity(id: "crm:d8", input: {lossReason: "price"}) { outcome } }'
    )


@pytest.mark.parametrize("by", ["stage_id", "owner_id", "category", "loss_reason", "credited_owner_id"])
async def test_the_columns_are_those_of_the_list(api: Api, by: str) -> None:
    await closed(api)
    field = CATALOGUE["opportunities"].by_name[by]
    for condition in ("", 'amount: {gte: 200}, account: {industry: {eq: "retail"}}'):
        whole = f"opportunities(first: 200, sort: [AMOUNT_DESC], filter: {{{condition}}})"
        asked = f"""{{ {whole} {{
            nodes {{ id amountHome key: {camel(by)} }}
            groups(by: {by.upper()}, first: 1) {{
                __typename hasMore
                nodes {{ __typename key label count worth: amountHome weightedHome nextCursor
                         nodes {{ id }} named: nodes {{ account {{ name }} name }} }}
            }}
        }} }}"""  # fmt: skip
        found = (await api.data(asked))["opportunities"]
        groups = found["groups"]
        assert (groups["__typename"], groups["hasMore"]) == ("OpportunityGroups", False)
        assert sum(x["count"] for x in groups["nodes"]) == len(found["nodes"]) > 0
        for column in groups["nodes"]:
            mine = [x for x in found["nodes"] if x["key"] == column["key"]]
            assert column["count"] == len(mine)
            assert column["worth"] == sum(x["amountHome"] for x in mine)
            assert [set(x) for x in column["named"]] == [{"account", "name"}] * bool(mine)
            got = column["nodes"]
            key = (
                "isNull: true" if column["key"] is None else f"eq: {KINDS[field.kind].format(column['key'])}"
            )
            cursor = column["nextCursor"]
            assert (cursor is not None) == (len(mine) > 1)
            while cursor:
                page = (
                    await api.data(
                        f"""{{ opportunities(first: 2, after: "{cursor}", sort: [AMOUNT_DESC],
                            filter: {{{condition} {camel(by)}: {{{key}}}}}) {{
                            nodes {{ id }} pageInfo {{ hasNextPage endCursor }} }} }}"""
                    )
                )["opportunities"]
                got += page["nodes"]
                cursor = page["pageInfo"]["hasNextPage"] and page["pageInfo"]["endCursor"]
            assert [x["id"] for x in got] == [x["id"] for x in mine]


async def test_several_boards_of_one_list_and_no_page(api: Api) -> None:
    await closed(api)
    asked = """query ($by: OpportunityGroupBy!, $first: Int) { opportunities(sort: [NAME_ASC]) {
        totalCount
        a: groups(by: $by, first: $first) { nodes { label count nodes { name } } }
        b: groups(by: CATEGORY) { nodes { key count } }
    } }"""
    found = (await api.data(asked, {"by": "STAGE_ID", "first": 1}))["opportunities"]
    assert list(found) == ["totalCount", "a", "b"]
    assert [(x["label"], x["count"], len(x["nodes"])) for x in found["a"]["nodes"]] == [
        ("Open", 7, 1), ("Won", 2, 1), ("Lost", 1, 1),
    ]  # fmt: skip
    assert found["b"]["nodes"] == [
        {"key": "OPEN", "count": 7}, {"key": "WON", "count": 2}, {"key": "LOST", "count": 1},
        {"key": "ABANDONED", "count": 0},
    ]  # fmt: skip
    again = (await api.data(asked, {"by": "CATEGORY"}))["opportunities"]["a"]["nodes"]
    assert [(x["label"], len(x["nodes"])) for x in again] == [
        ("Open", 7), ("Won", 2), ("Lost", 1), ("Abandoned", 0),
    ]  # fmt: skip
    asked = "{ opportunities { totalCount groups(by: OWNER_ID) { nodes { label count } } } }"
    mine = (await api.data(asked, role="rep", rep="r1"))["opportunities"]
    assert 0 < mine["totalCount"] < found["totalCount"]
    assert mine["groups"]["nodes"] == [{"label": "Rep 1", "count": mine["totalCount"]}]


@pytest.mark.parametrize(
    ("arguments", "groups", "code"),
    [
        ("", "by: OWNER_ID, first: 0", "out_of_range"),
        ("", "by: OWNER_ID, first: 51", "out_of_range"),
        ('asOf: "2026-01-01"', "by: OWNER_ID", "not_in_the_past"),
        ("includeDeleted: true", "by: OWNER_ID", "contradiction"),
        ('filter: {ownerId: {eq: "crm:nobody"}}', "by: STAGE_ID", "not_found"),
        ("", "by: NAME", "invalid_query"),
        ("", "by: OWNER_ID, first: 50", "too_costly"),
    ],
)
async def test_what_cannot_be_asked_is_refused(api: Api, arguments: str, groups: str, code: str) -> None:
    head = f"opportunities({arguments})" if arguments else "opportunities"
    below = "lineItems { id }" if code == "too_costly" else "id"
    refused = await api.refusal(f"{{ {head} {{ groups({groups}) {{ nodes {{ nodes {{ {below} }} }} }} }} }}")
    assert refused["extensions"]["code"] == code


async def test_every_noun_is_grouped_by_what_makes_groups(api: Api) -> None:
    for noun in CATALOGUE:
        fields = groupable(noun, "admin")
        if "list" not in noun.operations or not fields:
            continue
        root = camel(noun.plural)
        boards = " ".join(
            f"{name}: groups(by: {name.upper()}, first: 1) {{ nodes {{ key count nodes {{ id }} }} }}"
            for name in list(fields)[:20]
        )
        found: dict[str, Any] = (await api.data(f"{{ {root} {{ totalCount {boards} }} }}"))[root]
        total = found.pop("totalCount")
        for name, board in found.items():
            counts = [x["count"] for x in board["nodes"]]
            assert sum(counts) == total, (type_name(noun), name, orjson.dumps(board))
