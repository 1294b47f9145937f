"""Bring the MavenTech data set into Attain through its public REST API.

    python examples/maventech/load.py FOLDER --url http://localhost:8000 --key attain_…

Every record is named by an external id, so running it again changes nothing.
"""

from __future__ import annotations

import argparse
import csv
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

Row = dict[str, Any]

SOURCE = "maventech"
CHUNK = 5_000

# The data set's own slips of the pen.
PRODUCT_NAMES = {"GTXPro": "GTX Pro"}
SECTORS = {"technolgy": "technology"}
COUNTRIES = {"Philipines": "Philippines"}

STAGES = (
    # name, category, probability, forecast category
    ("Prospecting", "open", 0.1, "pipeline"),
    ("Engaging", "open", 0.4, "best_case"),
    ("Won", "won", 1.0, "closed"),
    ("Lost", "lost", 0.0, "omitted"),
)


def slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def ref(kind: str, name: str) -> str | None:
    """How one record names another: `source:external_id`."""
    return f"{SOURCE}:{kind}-{slug(name)}" if name else None


def read(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / name).open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def number(text: str) -> int | float | None:
    if not text:
        return None
    value = float(text)
    return int(value) if value.is_integer() else value


def batches(folder: Path) -> Iterator[tuple[str, list[Row]]]:
    """Each noun after those that it refers to."""
    agents = read(folder, "sales_teams.csv")
    offices = dict.fromkeys(agent["regional_office"] for agent in agents)
    yield "territories", [{"external_id": f"territory-{slug(name)}", "name": name} for name in offices]
    managers = {agent["manager"]: agent["regional_office"] for agent in agents}
    yield "reps", [rep(name, office, None) for name, office in managers.items()]
    # Agents without a single deal are reps like the others.
    yield "reps", [rep(a["sales_agent"], a["regional_office"], a["manager"]) for a in agents]
    products = {product["product"]: product for product in read(folder, "products.csv")}
    yield "products", [product_row(product) for product in products.values()]
    yield "pipelines", [{"external_id": "pipeline", "name": "MavenTech", "sales_model": "b2b"}]
    yield "stages", [stage_row(position, *stage) for position, stage in enumerate(STAGES)]
    accounts = read(folder, "accounts.csv")
    for level in by_level(accounts):
        yield "accounts", [account_row(account) for account in level]
    yield "opportunities", [deal_row(deal, products) for deal in read(folder, "sales_pipeline.csv")]


def rep(name: str, office: str, manager: str | None) -> Row:
    return {
        "external_id": f"rep-{slug(name)}",
        "name": name,
        "title": "Sales Agent" if manager else "Sales Manager",
        "function": "field" if manager else "manager",
        "manager_id": ref("rep", manager or ""),
        "territory_id": ref("territory", office),
    }


def product_row(product: dict[str, str]) -> Row:
    return {
        "external_id": f"product-{slug(product['product'])}",
        "name": product["product"],
        "family": product["series"],
        "list_price": number(product["sales_price"]),
        "currency": "USD",
    }


def stage_row(position: int, name: str, category: str, probability: float, forecast: str) -> Row:
    return {
        "external_id": f"stage-{slug(name)}",
        "pipeline_id": f"{SOURCE}:pipeline",
        "name": name,
        "position": position,
        "category": category,
        "probability": probability,
        "forecast_category": forecast,
    }


def by_level(accounts: list[dict[str, str]]) -> Iterator[list[dict[str, str]]]:
    """A parent before its subsidiaries."""
    known: set[str] = {""}
    rest = accounts
    while rest:
        level = [account for account in rest if account["subsidiary_of"] in known]
        if not level:
            sys.exit(f"No such parent account: {rest[0]['subsidiary_of']}")
        yield level
        known |= {account["account"] for account in level}
        rest = [account for account in rest if account["account"] not in known]


def account_row(account: dict[str, str]) -> Row:
    country = account["office_location"]
    return {
        "external_id": f"account-{slug(account['account'])}",
        "name": account["account"],
        "parent_id": ref("account", account["subsidiary_of"]),
        "industry": SECTORS.get(account["sector"], account["sector"]),
        "employees": number(account["employees"]),
        "country": COUNTRIES.get(country, country),
    }


def deal_row(deal: dict[str, str], products: dict[str, dict[str, str]]) -> Row:
    """What the source does not know stays null: the account and amount of most open deals, and the day on which a
    deal in Prospecting was opened. Such a deal exists for us from the moment of its first load."""
    product = products[PRODUCT_NAMES.get(deal["product"], deal["product"])]
    amount = number(deal["close_value"])
    return {
        "external_id": deal["opportunity_id"],
        "name": f"{deal['account'] or 'Unknown account'}, {product['product']}",
        "account_id": ref("account", deal["account"]),
        "owner_id": ref("rep", deal["sales_agent"]),
        "stage_id": ref("stage", deal["deal_stage"]),
        "amount": amount,
        "currency": "USD",
        # A day stands for its first moment in the tenant's time zone.
        "opened_at": deal["engage_date"] or None,
        "closed_at": deal["close_date"] or None,
        "line_items": [
            {
                "product_id": ref("product", product["product"]),
                "quantity": 1,
                "list_price": number(product["sales_price"]),
                "amount": amount,
            }
        ],
    }


def load(client: httpx.Client, folder: Path) -> bool:
    """True when no row was refused."""
    good = True
    for noun, rows in batches(folder):
        counts: dict[str, int] = {}
        for start in range(0, len(rows), CHUNK):
            body = {"source": SOURCE, "rows": rows[start : start + CHUNK]}
            answer = client.post(f"/v1/{noun}:upsert", params={"origin": "backfill"}, json=body)
            if answer.is_error:
                sys.exit(f"{noun}: {answer.status_code} {answer.text}")
            receipts = answer.json()
            for outcome, count in receipts["counts"].items():
                counts[outcome] = counts.get(outcome, 0) + count
            for receipt in receipts["rows"]:
                if receipt["outcome"] == "failed":
                    good = False
                    print(f"{noun} {receipt['external_id']}: {receipt['error']}", file=sys.stderr)
        print(f"{noun:>14}", ", ".join(f"{count:,} {outcome}" for outcome, count in counts.items() if count))
    return good


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="where accounts.csv, products.csv and the others lie")
    parser.add_argument("--url", default=os.environ.get("ATTAIN_URL", "http://localhost:8000"))
    parser.add_argument("--key", default=os.environ.get("ATTAIN_KEY"), help="or ATTAIN_KEY")
    given = parser.parse_args()
    if not given.key:
        parser.error("an API key is needed: --key or ATTAIN_KEY")
    headers = {"Authorization": f"Bearer {given.key}"}
    with httpx.Client(base_url=given.url, headers=headers, timeout=300) as client:
        sys.exit(not load(client, given.folder))


if __name__ == "__main__":
    main()
