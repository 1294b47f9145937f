"""The OpenAPI document: valid, stable in its names, whole, and true of what the service answers."""

from __future__ import annotations

import ast
import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

import app
from app.areas import CATALOGUE, METRIC_CATALOGUE
from app.faces.rest import codes, routes
from app.faces.rest.schemas import child_name, past_name
from app.language.resources.answers import models, parts
from app.language.resources.inquire import model_name
from app.language.resources.payload import class_name, payloads
from app.main import contract_files
from tests.faces.rest.conftest import Api, code

OPERATIONS = routes.operations(CATALOGUE, METRIC_CATALOGUE)
DOCUMENT: dict[str, Any] = json.loads(contract_files()["openapi/openapi.json"])
SCHEMAS = DOCUMENT["components"]["schemas"]


def registered(document: dict[str, Any]) -> Registry[Any]:
    return Registry().with_resource(
        "urn:contract", Resource.from_contents(document, default_specification=DRAFT202012)
    )


def with_money_as_text() -> dict[str, Any]:
    """The contract as `?money=string` says it is: the numbers of money are strings."""
    made = copy.deepcopy(DOCUMENT)
    for resource in CATALOGUE:
        own = {class_name(resource.name): resource.all_fields}
        own |= {child_name(resource, x): x.fields for x in resource.children}
        money = [(name, x.name) for name, fields in own.items() for x in fields if x.kind == "money"]
        money += [
            (model_name(resource, inquiry, model), x.name)
            for inquiry in CATALOGUE.inquiries[resource.plural]
            for model in models(inquiry.answer)
            for x in parts(model)
            if x.is_money
        ]
        for name, field in money:
            schema = made["components"]["schemas"][name]["properties"][field]
            schema["type"] = ["string" if x == "number" else x for x in listed(schema["type"])]
    return made


def listed(kind: str | list[str]) -> list[str]:
    return kind if isinstance(kind, list) else [kind]


REGISTRY = registered(DOCUMENT)
MONEY_AS_TEXT = registered(with_money_as_text())
NOUNS = [pytest.param(x, id=x.plural) for x in CATALOGUE]


def validator(name: str, *, registry: Registry[Any] = REGISTRY) -> Draft202012Validator:
    return Draft202012Validator(
        {"$ref": f"urn:contract#/components/schemas/{name}"},
        registry=registry,
        format_checker=Draft202012Validator.FORMAT_CHECKER,
    )


def test_the_document_is_valid_openapi() -> None:
    OpenAPIV31SpecValidator(DOCUMENT).validate()


def test_operation_ids_are_unique_and_speak_for_themselves() -> None:
    ids = [x.id for x in OPERATIONS]
    assert len(set(ids)) == len(ids)
    assert {
        "listOpportunities", "queryOpportunities", "createOpportunity", "getOpportunity", "updateOpportunity",
        "deleteOpportunity", "restoreOpportunity", "upsertOpportunities", "getOpportunityHistory",
        "listOpportunityHistory", "moveOpportunity", "closeWonOpportunity", "closeLostOpportunity",
        "reopenOpportunity", "reassignOpportunity", "reassignManagerRep", "getMe", "listEvents", "describeNoun",
        "createApiKey", "rotateApiKey", "revokeApiKey", "listMetrics", "getMetric", "queryMetrics", "explainMetric",
    } <= set(ids)  # fmt: skip


def test_every_operation_has_a_path_of_its_own() -> None:
    paths = DOCUMENT["paths"]
    assert "/v1/opportunities/{id}:close_won" in paths
    assert sum(len(x) for x in paths.values()) == len(OPERATIONS)


def test_component_names_are_those_of_the_design() -> None:
    for one in ("Opportunity", "Quota", "User"):
        for suffix in ("", "Create", "Patch", "Page", "UpsertRow", "Receipt"):
            assert one + suffix in SCHEMAS
    assert not [x for x in SCHEMAS if re.search(r"[-_](Input|Output)$|Input$|Output$", x)]


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_every_schema_has_an_example_that_it_accepts(name: str) -> None:
    schema = SCHEMAS[name]
    assert "example" in schema
    assert schema["description"]
    assert not [x.message for x in validator(name).iter_errors(schema["example"])]


def test_every_reference_leads_somewhere() -> None:
    for ref in re.findall(r'"\$ref": "#/components/(\w+)/(\w+(?:-\w+)*)"', json.dumps(DOCUMENT)):
        assert ref[1] in DOCUMENT["components"][ref[0]], ref


@pytest.mark.parametrize("resource", NOUNS)
def test_bodies_are_described_as_they_are_checked(resource: Any) -> None:
    """The schemas of the contract and those of the validators name the same fields and demand the same ones."""
    name = class_name(resource.name)
    own = payloads(resource)
    for suffix, adapter, operation in (
        ("Create", own.check_create, "create"),
        ("Patch", own.check_patch, "update"),
        ("UpsertRow", own.check_row, "upsert"),
    ):
        if operation in resource.operations:
            checked = adapter.json_schema()
            shown = SCHEMAS[name + suffix]
            assert set(shown["properties"]) == set(checked["properties"]), suffix
            assert set(shown.get("required", ())) == set(checked.get("required", ())), suffix


@pytest.mark.parametrize("resource", NOUNS)
def test_every_field_is_a_filter_with_the_operators_of_its_type(resource: Any) -> None:
    listed = DOCUMENT["paths"][f"/v1/{resource.plural}"]["get"]["parameters"]
    names = {x.get("name") for x in listed}
    for field in resource.all_fields:
        for operator in field.operators:
            assert (field.name if operator == "eq" else f"{field.name}[{operator}]") in names


async def test_every_documented_filter_is_taken(api: Api) -> None:
    for resource in CATALOGUE:
        for field in resource.all_fields:
            asked = {
                f"{field.name}[{x}]" if x != "eq" else field.name: _sample(field, x) for x in field.operators
            }
            if asked:
                response = await api.get(f"/v1/{resource.plural}", params=asked)
                assert response.status_code in (200, 404), (field.name, response.text)


def _sample(field: Any, operator: str) -> str:
    if operator in ("is_null", "in_period"):
        return {"is_null": "false", "in_period": "this_year"}[operator]
    if field.kind in ("id", "reference"):
        return "00000000-0000-7000-8000-000000000000"
    kinds = {"flag": "true", "day": "2026-01-01", "moment": "2026-01-01"}
    number = "1" if field.kind in ("integer", "money", "number") else "x"
    return field.values[0] if field.values else kinds.get(field.kind, number)


async def test_answers_are_as_the_contract_says(api: Api) -> None:
    await api.post("/v1/opportunities/crm:d1:close_won")
    await api.post("/v1/users", {"name": "U", "role": "rep", "rep_id": "crm:r1"})
    asked: list[tuple[str, str]] = [("/v1/me", "Me"), ("/v1/events?limit=1000", "EventPage")]
    for resource in CATALOGUE:
        name = class_name(resource.name)
        expand = [*resource.relations, *resource.children_by_name, *resource.listings_by_name]
        asked += [
            (f"/v1/{resource.plural}?include=total,deleted", f"{name}Page"),
            (f"/v1/{resource.plural}?money=string&expand={','.join(expand)}", f"{name}Page"),
            (f"/v1/describe/{resource.name}", "Description"),
        ]
        if resource.tracked:
            asked.append((f"/v1/{resource.plural}:history", f"{past_name(CATALOGUE, resource)}Page"))
    asked += [
        ("/v1/metrics", "MetricList"),
        ("/v1/metrics/bookings", "Metric"),
        (
            "/v1/metrics/query?metric=bookings&metric=win_rate&period=this_year&by=rep&grain=quarter",
            "MetricAnswer",
        ),
        ("/v1/metrics/open_pipeline/rows?by=rep", "ContributionPage"),
    ]
    for path, name in asked:
        for who in ({}, {"role": "rep", "rep": "r1"}):
            response = await api.get(path, **who)
            if response.status_code == 403 and who:
                continue
            assert response.status_code == 200, (path, response.text)
            own = validator(name, registry=MONEY_AS_TEXT if "money=string" in path else REGISTRY)
            faults = [f"{x.json_path}: {x.message[:300]}" for x in own.iter_errors(response.json())]
            assert not faults, (path, who, faults[:3])
    report = await api.upsert("opportunities", [{"external_id": "d1"}, {"external_id": "q"}])
    assert not list(validator("OpportunityReceipts").iter_errors(report))
    refused = await api.get("/v1/opportunities?limt=1")
    assert not list(validator("Problem").iter_errors(refused.json()))


def test_every_code_in_the_source_is_documented() -> None:
    """What may reach a caller by REST; the command line and GraphQL's own limits say theirs elsewhere."""
    known = {code for group in codes.REFUSALS.values() for code in group} | set(codes.FIELDS)
    starting = ("ground/database/migrate.py", "ground/database/embedded.py", "ground/database/address.py")
    elsewhere = ("cli.py", "sending.py", "server.py", "faces/graphql", "demo", *starting)
    root = Path(app.__path__[0])
    missing: dict[str, str] = {}
    for path in root.rglob("*.py"):
        if not str(path.relative_to(root)).startswith(elsewhere):
            for code in _codes(ast.parse(path.read_text())):
                if code not in known:
                    missing[code] = path.name
    assert not missing


def _codes(tree: ast.AST) -> list[str]:
    found: list[Any] = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        found += [x.value for x in node.keywords if x.arg == "code"]
        if name in ("field", "FieldError", "refuse", "_unknown") and len(node.args) > 2:
            found.append(node.args[1])
        if name == "PydanticCustomError":
            found.append(node.args[0])
    return [x.value for x in found if isinstance(x, ast.Constant) and isinstance(x.value, str)]


@pytest.mark.parametrize("resource", NOUNS)
async def test_the_contracts_own_question_is_answered(empty: Api, resource: Any) -> None:
    """Where it names a record, that one is in no tenant."""
    example = SCHEMAS[f"{class_name(resource.name)}Query"]["example"]
    answer = await empty.post(f"/v1/{resource.plural}:query", example)
    assert answer.status_code == 200 or code(answer) == (404, "not_found"), answer.text


async def test_the_contracts_own_export_is_taken(empty: Api) -> None:
    assert (await empty.post("/v1/exports", SCHEMAS["ExportCreate"]["example"])).status_code == 202


async def test_numbers_are_what_the_contract_says(api: Api) -> None:
    assert (
        await api.post("/v1/opportunities/crm:d3:close_won", {"closed_at": "2026-03-03"})
    ).status_code == 200
    for more in (
        "",
        "&by=rep&totals=true&sort=-bookings",
        "&compare=previous",
        "&by=rep&sort=bookings&compare=2025",
    ):
        path = f"/v1/metrics/query?metric=bookings&metric=win_rate&period=2026&grain=quarter{more}"
        for shape, name in (("long", "MetricAnswer"), ("wide", "MetricTable")):
            body = (await api.get(f"{path}&shape={shape}")).json()
            assert body["data"]
            validator(name).validate(body)
    for shape in ("long", "wide"):
        question = {"metrics": ["bookings", "win_rate"], "period": "2026", "by": ["rep"], "shape": shape}
        board = (await api.post("/v1/boards", {"name": "x", "question": question})).json()["id"]
        assert (await api.post(f"/v1/boards/{board}:publish")).status_code == 200
        body = (await api.get(f"/v1/boards/{board}/numbers")).json()
        assert body["data"]
        validator("HeldNumbers").validate(body)
