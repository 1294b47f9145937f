"""Writing: one transaction per field, and the record as it is afterwards."""

# ruff: noqa: E501 - documents are kept on one line

from __future__ import annotations

import asyncio
from typing import Any

from app.areas import CATALOGUE
from app.faces.graphql.names import camel
from tests.faces.graphql.conftest import Api
from tests.faces.graphql.rows import ROWS, upsert

CREATE = "mutation ($input: OpportunityCreate!) { createOpportunity(input: $input) { outcome changed opportunity { %s } } }"


async def test_create_change_delete_restore(api: Api) -> None:
    new = {
        "name": "New", "accountId": "crm:acme", "ownerId": "crm:r1", "amount": 12.5, "type": "EXPANSION",
        "lineItems": [{"productId": "crm:x1", "unitPrice": 6.25, "quantity": 2}],
        "splits": [{"repId": "crm:r1", "share": 0.5}, {"repId": "crm:r2", "share": 0.5, "kind": "REVENUE"}],
        "externalIds": [{"source": "erp", "externalId": "77"}],
    }  # fmt: skip
    fields = "id version type category amount stage { name } lineItems { amount } splits { share kind rep { name } }"
    created = (await api.data(CREATE % fields, {"input": new}))["createOpportunity"]
    deal = created["opportunity"]
    assert created["outcome"] == "CREATED"
    assert (deal["type"], deal["category"], deal["stage"]) == ("EXPANSION", "OPEN", {"name": "Open"})
    assert deal["lineItems"] == [{"amount": 12.5}]
    assert {(x["share"], x["kind"], x["rep"]["name"]) for x in deal["splits"]} == {
        (0.5, "REVENUE", "Rep 1"),
        (0.5, "REVENUE", "Rep 2"),
    }

    update = """mutation ($input: OpportunityPatch!, $version: Int) {
        updateOpportunity(id: "erp:77", input: $input, expectedVersion: $version) {
            outcome changed opportunity { amount nextStep version lineItems { amount } }
        }
    }"""
    patch = {"nextStep": "Call", "amount": None}
    changed = (await api.data(update, {"input": patch, "version": 1}))["updateOpportunity"]
    assert changed["outcome"] == "UPDATED"
    assert sorted(changed["changed"]) == ["amount", "nextStep"]
    assert changed["opportunity"] == {
        "amount": None,
        "nextStep": "Call",
        "version": 2,
        "lineItems": [{"amount": 12.5}],
    }
    same = (await api.data(update, {"input": patch}))["updateOpportunity"]
    assert (same["outcome"], same["changed"]) == ("UNCHANGED", [])
    behind = await api.refusal(update, {"input": {"amount": 1}, "version": 1})
    assert behind["extensions"]["code"] == "version_conflict"
    assert behind["extensions"]["status"] == 412
    assert behind["extensions"]["current"]["version"] == 2

    delete = 'mutation { deleteOpportunity(id: "erp:77") { outcome opportunity { deletedAt version } } }'
    gone = (await api.data(delete))["deleteOpportunity"]
    assert gone["outcome"] == "DELETED"
    assert gone["opportunity"]["deletedAt"] is not None
    assert (await api.refusal('{ opportunity(id: "erp:77") { id } }'))["extensions"]["code"] == "not_found"
    assert (await api.data('{ opportunity(id: "erp:77", includeDeleted: true) { name } }'))["opportunity"][
        "name"
    ] == "New"
    restore = 'mutation { restoreOpportunity(id: "erp:77") { outcome opportunity { deletedAt } } }'
    assert (await api.data(restore))["restoreOpportunity"] == {
        "outcome": "RESTORED",
        "opportunity": {"deletedAt": None},
    }


async def test_actions(api: Api) -> None:
    won = """mutation ($input: OpportunityCloseWon) {
        closeWonOpportunity(id: "crm:d1", input: $input) {
            __typename outcome opportunity { category amount closedAt creditedOwner { name } }
        }
    }"""
    answer = (await api.data(won, {"input": {"amount": 99, "closedAt": "2026-03-31"}}))["closeWonOpportunity"]
    assert answer == {
        "__typename": "OpportunityPayload",
        "outcome": "UPDATED",
        "opportunity": {
            "category": "WON", "amount": 99, "closedAt": "2026-03-31T00:00:00+00:00", "creditedOwner": {"name": "Rep 2"},
        },
    }  # fmt: skip
    again = await api.refusal(won)
    assert (again["extensions"]["code"], again["extensions"]["status"]) == ("already_won", 409)
    top = (
        'mutation { reassignManagerRep(id: "crm:r1", input: {managerId: null}) { rep { manager { name } } } }'
    )
    assert (await api.data(top))["reassignManagerRep"] == {"rep": {"manager": None}}


async def test_a_refused_field_leaves_its_siblings(api: Api) -> None:
    answer = await api(
        """mutation {
            a: createTeam(input: {name: "West"}) { team { name } }
            b: createOpportunity(input: {name: "x", ownerId: "crm:nobody", currency: "XYZ"}) { outcome }
            c: createTeam(input: {name: "South"}) { team { name } }
        }"""
    )
    assert answer["data"] == {"a": {"team": {"name": "West"}}, "b": None, "c": {"team": {"name": "South"}}}
    [error] = answer["errors"]
    assert error["path"] == ["b"]
    assert error["extensions"]["code"] == "invalid"
    assert error["extensions"]["errors"][0]["pointer"] == "/currency"
    assert error["extensions"]["errors"][0]["code"] == "unknown_currency"
    stored = (await api.data("{ teams(sort: [NAME_ASC]) { nodes { name } } }"))["teams"]["nodes"]
    assert [x["name"] for x in stored] == ["East", "South", "West"]


async def test_pointers_carry_the_callers_names(api: Api) -> None:
    refused = await api.refusal(
        CREATE % "id", {"input": {"name": "x", "lineItems": [{"productId": "crm:x1", "unitPrice": 1e17}]}}
    )
    assert refused["extensions"]["errors"][0]["pointer"] == "/lineItems/0/unitPrice"


async def test_roles_may_write_what_rest_lets_them(api: Api) -> None:
    for role in ("rep", "analyst"):
        refused = await api.refusal(
            'mutation { createTeam(input: {name: "x"}) { outcome } }', role=role, rep="r1"
        )
        assert refused["extensions"]["code"] == "forbidden"
    change = 'mutation { updateOpportunity(id: "crm:d9", input: {nextStep: "x"}) { outcome } }'
    assert (await api.refusal(change, role="rep", rep="r1"))["extensions"]["code"] == "not_found"


async def test_a_record_given_away_is_answered_once_more(api: Api) -> None:
    give = 'mutation { reassignOpportunity(id: "crm:d0", input: {ownerId: "crm:other"}) { outcome opportunity { ownerId name } } }'
    given = (await api.data(give, role="rep", rep="r1"))["reassignOpportunity"]
    assert given["outcome"] == "UPDATED"
    assert given["opportunity"]["name"] == "Deal 0"
    assert (await api.refusal('{ opportunity(id: "crm:d0") { name } }', role="rep", rep="r1"))["extensions"][
        "status"
    ] == 404


async def test_upserts_answer_with_receipts(api: Api) -> None:
    plural, rows = next(x for x in ROWS if x[0] == "opportunities")
    assert {x["outcome"] for x in await upsert(api, plural, rows)} == {"UNCHANGED"}
    rows = [*rows[:-1], rows[-1] | {"nextStep": "Call"}]
    dry = await upsert(api, plural, rows, dryRun="true")
    assert (dry[-1]["outcome"], dry[-1]["changed"]) == ("UPDATED", ["nextStep"])
    wet = await upsert(api, plural, rows, origin="BACKFILL")
    assert [x["outcome"] for x in wet] == ["UNCHANGED"] * 9 + ["UPDATED"]
    mixed = """mutation { upsertOpportunities(source: "crm", rows: [
        {externalId: "n1", name: "N1", ownerId: "crm:nobody"}, {externalId: "n2", name: "N2"}
    ], %s) { counts { created failed } rows { outcome error } } }"""
    result = (await api.data(mixed % "missing: ERROR"))["upsertOpportunities"]
    assert result["counts"] == {"created": 1, "failed": 1}
    assert result["rows"][0]["error"]["errors"][0]["pointer"] == "/ownerId"
    assert (await api.data(mixed % "missing: NULL"))["upsertOpportunities"]["counts"]["failed"] == 0
    atomic = await api.refusal(mixed % "atomic: true")
    assert atomic["extensions"]["code"] == "atomic_refused"
    assert atomic["extensions"]["errors"][0]["pointer"] == "/rows/0/ownerId"


async def test_history_comes_in_with_the_row(api: Api) -> None:
    row = {
        "externalId": "h", "name": "Old", "stageId": "crm:won", "closedAt": "2026-03-01",
        "history": [{"at": "2026-01-01", "stageId": "crm:open", "amount": 5, "closedAt": None}, {"at": "2026-03-01", "stageId": "crm:won", "amount": 7}],
    }  # fmt: skip
    await upsert(api, "opportunities", [row])
    document = '{ now: opportunity(id: "crm:h") { category amount } then: opportunity(id: "crm:h", asOf: "2026-02-01") { category amount } }'
    data = await api.data(document)
    assert data == {"now": {"category": "WON", "amount": 7}, "then": {"category": "OPEN", "amount": 5}}


async def test_writers_that_collide_all_succeed(api: Api) -> None:
    rows = [{"externalId": f"d{i}", "nextStep": None} for i in range(8)]

    async def write(number: int) -> Any:
        order = rows if number % 2 else rows[::-1]
        return await upsert(api, "opportunities", [x | {"nextStep": f"{number}"} for x in order])

    answers = await asyncio.gather(*(write(number) for number in range(8)))
    assert {x["outcome"] for receipts in answers for x in receipts} <= {"UPDATED", "UNCHANGED"}


async def test_every_noun_has_its_mutations(api: Api) -> None:
    schema = await api.data("{ __schema { mutationType { fields { name } } queryType { fields { name } } } }")
    mutations = {x["name"] for x in schema["__schema"]["mutationType"]["fields"]}
    queries = {x["name"] for x in schema["__schema"]["queryType"]["fields"]}
    for resource in CATALOGUE:
        for operation, names in {
            "create": {f"create_{resource.name}"},
            "update": {f"update_{resource.name}"},
            "delete": {f"delete_{resource.name}", f"restore_{resource.name}"},
            "upsert": {f"upsert_{resource.plural}"},
        }.items():
            assert (operation in resource.operations) == ({camel(x) for x in names} <= mutations), (
                resource.name
            )
        assert {camel(f"{x.name}_{resource.name}") for x in resource.actions} <= mutations
        assert {camel(resource.name), camel(resource.plural)} <= queries
        assert {camel(f"{x.name}_{resource.name}") for x in CATALOGUE.inquiries[resource.plural]} <= queries
