"""The small tenant that every client asks: sent as a source would send it, by upserts over REST."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

Row = dict[str, Any]

SOURCE = "clients"
REPS, ACCOUNTS, DEALS = 5, 30, 240
INDUSTRIES = ("retail", "medical", "software", "finance")
PRODUCTS = (("GTX Basic", 550), ("GTX Pro", 4821), ("MG Special", 55), ("GTK 500", 26768))
STAGES = (
    ("Prospecting", "open", 0.1),
    ("Engaging", "open", 0.4),
    ("Won", "won", 1.0),
    ("Lost", "lost", 0.0),
)


def fill(url: str, key: str) -> None:
    for plural, rows in batches(datetime.now(UTC).replace(microsecond=0)):
        answer = httpx.post(
            f"{url}/v1/{plural}:upsert",
            json={"source": SOURCE, "rows": rows},
            headers={"Authorization": f"Bearer {key}"},
        )
        receipts = answer.raise_for_status().json()
        if receipts["counts"]["created"] != len(rows):
            raise SystemExit(f"{plural}: {[x['error'] for x in receipts['rows'] if x['error']][:3]}")


def batches(now: datetime) -> Iterator[tuple[str, list[Row]]]:
    """Each noun after those that it refers to."""
    yield "territories", [{"external_id": x.lower(), "name": x} for x in ("West", "East")]
    yield "reps", [{"external_id": "boss", "name": "Manager", "function": "manager"}]
    yield "reps", [rep(i) for i in range(1, REPS + 1)]
    yield (
        "products",
        [
            {"external_id": f"product-{i}", "name": name, "list_price": price, "currency": "USD"}
            for i, (name, price) in enumerate(PRODUCTS)
        ],
    )
    yield "pipelines", [{"external_id": "sales", "name": "Sales", "is_default": True}]
    yield "stages", [
        {"external_id": f"stage-{i}", "pipeline_id": f"{SOURCE}:sales", "name": name, "position": i,
         "category": category, "probability": probability}
        for i, (name, category, probability) in enumerate(STAGES)
    ]  # fmt: skip
    yield "accounts", [
        {"external_id": f"account-{i}", "name": f"Account {i:02}", "industry": INDUSTRIES[i % len(INDUSTRIES)],
         "owner_id": f"{SOURCE}:rep-{i % REPS + 1}"}
        for i in range(1, ACCOUNTS + 1)
    ]  # fmt: skip
    yield "opportunities", [deal(i, now) for i in range(1, DEALS + 1)]


def rep(i: int) -> Row:
    return {
        "external_id": f"rep-{i}",
        "name": f"Rep {i}",
        "function": "field",
        "manager_id": f"{SOURCE}:boss",
        "territory_id": f"{SOURCE}:{'west' if i % 2 else 'east'}",
    }


def deal(i: int, now: datetime) -> Row:
    """One in two is open, one in three won, one in six lost; the closed ones of the last two months."""
    name, price = PRODUCTS[i % len(PRODUCTS)]
    stage = (0, 1, 2, 0, 2, 3)[i % 6]
    quantity = i % 7 + 1
    opened = now - timedelta(days=120, hours=i)
    row: Row = {
        "external_id": f"deal-{i}",
        "name": f"Deal {i:03}, {name}",
        "account_id": f"{SOURCE}:account-{i % ACCOUNTS + 1}",
        "owner_id": f"{SOURCE}:rep-{i % REPS + 1}",
        "stage_id": f"{SOURCE}:stage-{stage}",
        "amount": quantity * price,
        "currency": "USD",
        "opened_at": opened.isoformat(),
        "line_items": [
            {"product_id": f"{SOURCE}:product-{i % len(PRODUCTS)}", "quantity": quantity, "unit_price": price}
        ],
    }
    if STAGES[stage][1] != "open":
        row["closed_at"] = (opened + timedelta(days=60 + i % 60)).isoformat()
    return row
