"""A small company, sent in through the face that is tested."""

# ruff: noqa: E501 - documents are kept on one line

from __future__ import annotations

from typing import Any

from app.faces.graphql.names import camel
from app.language.resources.payload import class_name

ROWS: list[tuple[str, list[dict[str, Any]]]] = [
    ("teams", [{"externalId": "east", "name": "East"}]),
    ("reps", [{"externalId": "boss", "name": "Bea Boss", "function": "MANAGER"}]),
    (
        "reps",
        [
            {"externalId": f"r{i}", "name": f"Rep {i}", "managerId": "crm:boss", "teamId": "crm:east", "function": "FIELD"}
            for i in (1, 2)
        ]
        + [{"externalId": "other", "name": "Otto Other"}],
    ),
    ("pipelines", [{"externalId": "p", "name": "Main", "isDefault": True}]),
    (
        "stages",
        [
            {"externalId": "open", "pipelineId": "crm:p", "name": "Open", "position": 1, "probability": 0.25},
            {"externalId": "won", "pipelineId": "crm:p", "name": "Won", "position": 2, "category": "WON"},
            {"externalId": "lost", "pipelineId": "crm:p", "name": "Lost", "position": 3, "category": "LOST"},
        ],
    ),
    ("products", [{"externalId": f"x{i}", "name": f"Product {i}", "cost": 10.5 * i} for i in (1, 2)]),
    (
        "accounts",
        [
            {"externalId": "acme", "name": "Acme", "ownerId": "crm:r1", "industry": "retail"},
            {"externalId": "globex", "name": "Globex", "ownerId": "crm:other", "industry": "medical"},
        ],
    ),
    ("contacts", [{"externalId": "person", "name": "Person"}]),
    ("price_books", [{"externalId": "book", "name": "Book"}]),
    ("campaigns", [{"externalId": "fair", "name": "Fair"}]),
    ("comp_plans", [{"externalId": "plan", "name": "Plan"}]),
    (
        "opportunities",
        [
            {
                "externalId": f"d{i}", "name": f"Deal {i}", "accountId": "crm:acme" if i % 2 else "crm:globex",
                "ownerId": f"crm:r{1 + i % 2}" if i < 8 else "crm:other", "stageId": "crm:won" if i == 4 else "crm:open",
                "amount": 100.25 * i, "currency": "USD", "type": "NEW_BUSINESS" if i < 5 else "RENEWAL",
                "openedAt": f"2026-01-{i + 1:02}", "expectedCloseOn": f"2026-06-{i + 1:02}",
                "closedAt": "2026-02-01T10:00:00Z" if i == 4 else None,
                "lineItems": [{"productId": f"crm:x{1 + i % 2}", "quantity": 2, "unitPrice": 50 + i}],
            }
            for i in range(10)
        ],
    ),
    (
        "activities",
        [
            {"externalId": f"c{i}", "kind": "CALL" if i % 2 else "EMAIL", "subject": f"Talk {i}", "done": True,
             "opportunityId": "crm:d1", "accountId": "crm:acme", "occurredAt": f"2026-02-0{i + 1}T09:00:00Z"}
            for i in range(5)
        ],
    ),
]  # fmt: skip


async def upsert(api: Any, plural: str, rows: list[dict[str, Any]], **options: Any) -> list[dict[str, Any]]:
    one = class_name(
        {"activities": "activity", "opportunities": "opportunity"}.get(plural, plural.removesuffix("s"))
    )
    field = camel(f"upsert_{plural}")
    more = "".join(f", {name}: {value}" for name, value in options.items())
    document = f"""mutation ($rows: [{one}UpsertRow!]!) {{
        {field}(source: "crm", rows: $rows{more}) {{
            counts {{ created updated unchanged restored deleted failed }}
            rows {{ index externalId id outcome changed reason version error }}
        }}
    }}"""
    result = (await api.data(document, {"rows": rows}))[field]
    assert [x["error"] for x in result["rows"] if x["error"]] == []
    return result["rows"]
