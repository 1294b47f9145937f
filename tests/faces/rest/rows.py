"""A small company, as a source would send it."""

from __future__ import annotations

from typing import Any

ROWS: list[tuple[str, list[dict[str, Any]]]] = [
    ("teams", [{"external_id": "east", "name": "East"}]),
    ("reps", [{"external_id": "boss", "name": "Bea Boss", "function": "manager"}]),
    (
        "reps",
        [
            {"external_id": f"r{i}", "name": f"Rep {i}", "manager_id": "crm:boss", "team_id": "crm:east"}
            for i in (1, 2)
        ]
        + [{"external_id": "other", "name": "Otto Other"}],
    ),
    ("pipelines", [{"external_id": "p", "name": "Main", "is_default": True}]),
    (
        "stages",
        [
            {"external_id": "open", "pipeline_id": "crm:p", "name": "Open", "position": 1, "probability": 0.25},
            {"external_id": "deep", "pipeline_id": "crm:p", "name": "Deep", "position": 2, "probability": 0.5,
             "required_fields": ["next_step"]},
            {"external_id": "won", "pipeline_id": "crm:p", "name": "Won", "position": 3, "category": "won"},
            {"external_id": "lost", "pipeline_id": "crm:p", "name": "Lost", "position": 4, "category": "lost"},
        ],
    ),
    ("products", [{"external_id": f"x{i}", "name": f"Product {i}", "cost": 10.5 * i} for i in (1, 2)]),
    (
        "accounts",
        [
            {"external_id": "acme", "name": "Acme", "owner_id": "crm:r1", "industry": "retail"},
            {"external_id": "globex", "name": "Globex", "owner_id": "crm:other", "industry": "medical"},
        ],
    ),
    (
        "opportunities",
        [
            {
                "external_id": f"d{i}",
                "name": f"Deal {i}",
                "account_id": "crm:acme" if i % 2 else "crm:globex",
                "owner_id": ("crm:r1", "crm:r2", "crm:other")[i % 3],
                "stage_id": "crm:open",
                "amount": 100 * i + 0.25,
                "opened_at": f"2026-01-{i:02}T09:00:00Z",
                "line_items": [{"product_id": "crm:x1", "quantity": i, "unit_price": 10}] if i < 3 else [],
            }
            for i in range(1, 10)
        ],
    ),
]  # fmt: skip
