"""Reading: any selection, as one statement."""

# ruff: noqa: E501 - documents are kept on one line

from __future__ import annotations

from typing import Any

from tests.faces.graphql.conftest import Api


def names(connection: Any) -> list[str]:
    return [node["name"] for node in connection["nodes"]]


async def test_a_selection_with_aliases_fragments_and_directives(api: Api) -> None:
    document = """
    query Deals($withLines: Boolean!, $not: Boolean = true, $first: Int) {
        won: opportunities(filter: {category: {eq: WON}}) { nodes { ...Deal } }
        all: opportunities(first: $first, sort: [NAME_DESC]) {
            __typename
            edges { cursor node { title: name lineItems @include(if: $withLines) { quantity product { name } } } }
        }
    }
    fragment Deal on Opportunity {
        __typename
        kind: type
        amount
        hidden: amount @skip(if: $not)
        ... on Node { id }
        ... on Opportunity { account { name owner { __typename fullName: name team { name } } } }
        activities(first: 2, sort: [OCCURRED_AT_DESC], filter: {kind: {eq: EMAIL}}) { subject kind }
        account { industry }
    }
    """
    data = await api.data(document, {"withLines": True, "first": 2})
    [won] = data["won"]["nodes"]
    assert list(won) == ["__typename", "kind", "amount", "id", "account", "activities"]
    assert won["__typename"] == "Opportunity"
    assert won["kind"] == "NEW_BUSINESS"
    assert won["amount"] == 401
    assert won["account"] == {
        "name": "Globex",
        "owner": {"__typename": "Rep", "fullName": "Otto Other", "team": None},
        "industry": "medical",
    }
    assert won["activities"] == []
    assert data["all"]["__typename"] == "OpportunityConnection"
    assert [edge["node"]["title"] for edge in data["all"]["edges"]] == ["Deal 9", "Deal 8"]
    assert data["all"]["edges"][0]["node"]["lineItems"] == [{"quantity": 2, "product": {"name": "Product 2"}}]
    data = await api.data(document, {"withLines": False, "not": False})
    assert set(data["all"]["edges"][0]["node"]) == {"title"}
    assert data["won"]["nodes"][0]["hidden"] == 401


async def test_one_record_by_each_of_its_names(api: Api) -> None:
    by_key = (await api.data('{ opportunity(id: "crm:d1") { id name activities(first: 2) { subject } } }'))[
        "opportunity"
    ]
    assert by_key["name"] == "Deal 1"
    assert [x["subject"] for x in by_key["activities"]] == ["Talk 4", "Talk 3"]
    document = "query ($id: ID!) { opportunity(id: $id) { name } node(id: $id) { __typename id ... on Opportunity { name } } }"
    data = await api.data(document, {"id": by_key["id"]})
    assert data["opportunity"] == {"name": "Deal 1"}
    assert data["node"] == {"__typename": "Opportunity", "id": by_key["id"], "name": "Deal 1"}
    me = await api.data('{ rep(id: "me") { name } }', role="rep", rep="r1")
    assert me["rep"]["name"] == "Rep 1"


async def test_what_is_not_there_is_an_error_of_that_field_alone(api: Api) -> None:
    answer = await api(
        '{ a: opportunity(id: "crm:no") { name } b: opportunity(id: "crm:d1") { name } node(id: "x") { id } }'
    )
    assert answer["data"] == {"a": None, "b": {"name": "Deal 1"}, "node": None}
    assert {(*e["path"], e["extensions"]["code"], e["extensions"]["status"]) for e in answer["errors"]} == {
        ("a", "not_found", 404),
        ("node", "not_found", 404),
    }


async def test_paging_in_both_directions(api: Api) -> None:
    page = """opportunities(sort: [NAME_ASC], %s) {
        nodes { name } totalCount edges { cursor }
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor __typename }
    }"""
    first = (await api.data("{" + page % "first: 4" + "}"))["opportunities"]
    assert names(first) == ["Deal 0", "Deal 1", "Deal 2", "Deal 3"]
    assert first["totalCount"] == 10
    info = first["pageInfo"]
    assert info["hasNextPage"]
    assert not info["hasPreviousPage"]
    assert info["__typename"] == "PageInfo"
    assert [info["startCursor"], info["endCursor"]] == [
        first["edges"][0]["cursor"],
        first["edges"][3]["cursor"],
    ]
    second = (await api.data("{" + page % f'first: 4, after: "{info["endCursor"]}"' + "}"))["opportunities"]
    assert names(second) == ["Deal 4", "Deal 5", "Deal 6", "Deal 7"]
    assert second["pageInfo"]["hasPreviousPage"]
    back = page % f'last: 2, before: "{second["pageInfo"]["startCursor"]}"'
    before = (await api.data("{" + back + "}"))["opportunities"]
    assert names(before) == ["Deal 2", "Deal 3"]
    foreign = f'{{ opportunities(after: "{info["endCursor"]}", sort: [AMOUNT_DESC]) {{ totalCount }} }}'
    assert (await api.refusal(foreign))["extensions"]["code"] == "bad_cursor"
    for arguments in (
        "last: 2",
        "first: 0",
        "first: 201",
        'after: "x", before: "y"',
        'first: 1, last: 1, before: "y"',
    ):
        refused = await api.refusal(f"{{ opportunities({arguments}) {{ totalCount }} }}")
        assert refused["extensions"]["status"] == 422, arguments


async def test_nodes_and_edges_that_want_different_fields(api: Api) -> None:
    data = await api.data(
        """{ opportunities(sort: [NAME_ASC], first: 2) {
            nodes { name } more: nodes { amount account { name } } edges { node { type } cursor }
        } }"""
    )
    found = data["opportunities"]
    assert found["nodes"] == [{"name": "Deal 0"}, {"name": "Deal 1"}]
    assert found["more"][1] == {"amount": 100.25, "account": {"name": "Acme"}}
    assert found["edges"][0]["node"] == {"type": "NEW_BUSINESS"}


async def test_filters(api: Api) -> None:
    async def found(filter_: str, **variables: Any) -> list[str]:
        head = "query ($f: OpportunityFilter)" if variables else ""
        document = f"{head} {{ opportunities(sort: [NAME_ASC], filter: {filter_}) {{ nodes {{ name }} }} }}"
        return [
            x.removeprefix("Deal ")
            for x in names((await api.data(document, variables or None))["opportunities"])
        ]

    assert await found("{amount: {gte: 200, lt: 401.5}}") == ["2", "3", "4"]
    assert await found('{or: [{name: {eq: "Deal 1"}}, {amount: {gt: 902}}]}') == ["1", "9"]
    assert await found("{not: {type: {in: [NEW_BUSINESS]}}}") == ["5", "6", "7", "8", "9"]
    assert await found('{account: {industry: {eq: "retail"}, owner: {name: {startsWith: "rep"}}}}') == list(
        "13579"
    )
    assert await found('{lineItems: {productId: {eq: "crm:x2"}}, amount: {lte: 350}}') == ["1", "3"]
    assert await found("{activities: {kind: {eq: CALL}}}") == ["1"]
    assert await found("{closedAt: {isNull: false}}") == ["4"]
    assert await found('{expectedCloseOn: {inPeriod: "2026-Q2"}, ownerId: {eq: "crm:other"}}') == ["8", "9"]
    assert await found("$f", f={"type": {"eq": "RENEWAL"}, "and": [{"amount": {"gt": 700}}]}) == [
        "7",
        "8",
        "9",
    ]
    assert await found("$f", f=None) == list("0123456789")


async def test_an_unknown_record_in_a_filter_is_not_found(api: Api) -> None:
    for reference in ("crm:nobody", "01929b6e-7a10-7cc3-9f5e-0d2a4b6c8e10"):
        document = (
            f'{{ opportunities(filter: {{ownerId: {{eq: "{reference}"}}}}) {{ totalCount nodes {{ id }} }} }}'
        )
        assert (await api.refusal(document))["extensions"]["code"] == "not_found"


async def test_visibility_and_roles(api: Api) -> None:
    count = "{ opportunities { totalCount nodes { name account { id name industry } } } }"
    assert (await api.data(count))["opportunities"]["totalCount"] == 10
    assert (await api.data(count, role="manager", rep="boss"))["opportunities"]["totalCount"] == 8
    mine = (await api.data(count, role="rep", rep="other"))["opportunities"]
    assert mine["totalCount"] == 2
    foreign = await api.data(
        "{ accounts(sort: [NAME_ASC]) { nodes { name opportunities { name } } } }", role="rep", rep="r1"
    )
    assert {x["name"]: len(x["opportunities"]) for x in foreign["accounts"]["nodes"]} == {
        "Acme": 0,
        "Globex": 4,
    }


async def test_fields_that_a_role_may_not_read(api: Api) -> None:
    read = "{ products { nodes { name cost } } }"
    assert (await api.data(read))["products"]["nodes"][0]["cost"] is not None
    through = '{ opportunity(id: "crm:d1") { lineItems { product { cost } } } }'
    for document in (read, through, "{ products(sort: [COST_ASC]) { nodes { name } } }"):
        refused = await api.refusal(document, role="rep", rep="r1")
        assert refused["extensions"]["code"] == "forbidden"
        assert refused["extensions"]["status"] == 403
    hidden = await api.refusal(
        "{ products(filter: {cost: {gt: 1}}) { nodes { name } } }", role="rep", rep="r1"
    )
    assert hidden["extensions"]["code"] == "unknown_field"
    scoped = {"role": "integration", "scopes": ("products:read",)}
    assert (await api("{ products { totalCount } }", **scoped))["data"]["products"]["totalCount"] == 2
    assert (await api.refusal("{ accounts { totalCount } }", **scoped))["extensions"]["code"] == "forbidden"


async def test_the_past(api: Api) -> None:
    document = 'query ($at: DateTime) { opportunity(id: "crm:d4", asOf: $at) { category } }'
    assert (await api.data(document))["opportunity"]["category"] == "WON"
    assert (await api.data(document, {"at": "2026-01-20"}))["opportunity"]["category"] == "OPEN"
    refused = await api.refusal(document, {"at": "yesterday"})
    assert refused["extensions"]["errors"][0]["pointer"] == "/asOf"


async def test_who_asks_and_what_changed(api: Api, settled: Any) -> None:
    me = (
        await api.data(
            "{ me { role rep { name } tenant { homeCurrency } permissions } }",
            role="rep",
            rep="r2",
        )
    )["me"]
    assert me["role"] == "rep"
    assert me["rep"] == {"name": "Rep 2"}
    assert me["tenant"] == {"homeCurrency": "USD"}
    assert "write" in me["permissions"]["opportunities"]
    await settled()
    page = (
        await api.data(
            '{ events(first: 3, types: ["opportunity.created"]) { hasMore nextCursor nodes { type noun recordId at } } }'
        )
    )["events"]
    assert page["hasMore"]
    assert {x["type"] for x in page["nodes"]} == {"opportunity.created"}
    rest = (
        await api.data(
            f'{{ events(after: "{page["nextCursor"]}", types: ["opportunity.created"]) {{ nodes {{ recordId }} }} }}'
        )
    )["events"]
    assert len(rest["nodes"]) == 7


async def test_any_alias_names_its_own_field(api: Api) -> None:
    """Also those that are names of the statement's own."""
    names_ = ["json", "select", "r", "k0", "total", "tenant", "j", "j_1", "j_2", "l_1", "account_1", "a" * 60]
    document = f"""{{ opportunities(first: 1, sort: [NAME_ASC]) {{ totalCount nodes {{
        {" ".join(f"{x}: name" for x in names_)} account {{ {" ".join(f"{x}: name" for x in names_)} }}
    }} }} }}"""
    [node] = (await api.data(document))["opportunities"]["nodes"]
    assert node == dict.fromkeys(names_, "Deal 0") | {"account": dict.fromkeys(names_, "Globex")}


async def test_many_root_fields_share_the_pool(api: Api) -> None:
    data = await api.data(
        "{" + " ".join(f"a{i}: opportunities(first: 1) {{ totalCount }}" for i in range(50)) + "}"
    )
    assert [x["totalCount"] for x in data.values()] == [10] * 50


async def test_lists_in_a_record_take_filters_with_periods(api: Api) -> None:
    inner = '{ opportunities(sort: [NAME_ASC], filter: {expectedCloseOn: {inPeriod: "2026-06"}, ownerId: {eq: "crm:r2"}}) { name } }'
    expected = {"opportunities": [{"name": f"Deal {i}"} for i in (1, 3, 5, 7)]}
    assert (await api.data(f'{{ account(id: "crm:acme") {inner} }}'))["account"] == expected
    listed = (await api.data(f'{{ accounts(filter: {{name: {{eq: "Acme"}}}}) {{ nodes {inner} }} }}'))[
        "accounts"
    ]
    assert listed["nodes"] == [expected]
    change = f'mutation {{ updateAccount(id: "crm:acme", input: {{segment: "smb"}}) {{ account {inner} }} }}'
    assert (await api.data(change))["updateAccount"]["account"] == expected


async def test_a_search_by_words(api: Api) -> None:
    data = await api.data(
        '{ opportunities(q: "DEA 3", filter: {amount: {gt: 0}}) { totalCount nodes { name } } }'
    )
    assert data["opportunities"] == {"totalCount": 1, "nodes": [{"name": "Deal 3"}]}
    assert (await api.data('{ reps(q: "zzz") { totalCount } }'))["reps"]["totalCount"] == 0


async def test_what_a_nested_filter_says_hangs_on_who_asks(api: Api) -> None:
    """One document, planned once, and asked by people of the same role."""
    document = """{ accounts { nodes { opportunities(filter: {ownerId: {eq: "me"}}) { ownerId } } } }"""
    met = set()
    for rep in ("r1", "r2"):
        nodes = (await api.data(document, role="analyst", rep=rep))["accounts"]["nodes"]
        owners = {deal["ownerId"] for node in nodes for deal in node["opportunities"]}
        assert owners == {api.reps[rep]}
        met |= owners
    assert len(met) == 2
