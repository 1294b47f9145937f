"""The demo company: territories, teams, 40 reps in four levels, products, pipelines, rates and accounts.

People carry neutral labels on purpose: a demo that invents names invents people.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from app.demo.calendar import FIRST_OPENING, TODAY, midnight, months
from app.demo.dice import Dice, Weighted

Row = dict[str, Any]

SOURCE = "demo"


def ref(kind: str, key: str) -> str:
    return f"{SOURCE}:{kind}-{key}"


@dataclass(frozen=True)
class Territory:
    key: str
    name: str
    region: int
    currency: str
    countries: tuple[tuple[str, float], ...]
    demand: float


REGIONS = (
    ("americas", "Americas"),
    ("northern-europe", "Northern Europe"),
    ("continental-europe", "Continental Europe"),
)

TERRITORIES = (
    Territory("na-east", "North America East", 0, "USD", (("United States", 5), ("Canada", 1)), 1.15),
    Territory("na-west", "North America West", 0, "USD", (("United States", 6), ("Mexico", 1)), 1.0),
    Territory("uk-ireland", "UK and Ireland", 1, "GBP", (("United Kingdom", 5), ("Ireland", 1)), 0.95),
    Territory("nordics", "Nordics", 1, "EUR", (("Sweden", 3), ("Denmark", 2), ("Finland", 2), ("Norway", 2)), 0.8),
    Territory("dach", "DACH", 2, "EUR", (("Germany", 6), ("Switzerland", 2), ("Austria", 1)), 1.05),
    Territory("southern-europe", "Southern Europe", 2, "EUR", (("France", 4), ("Italy", 3), ("Spain", 3)), 0.85),
)  # fmt: skip

REORGANISED_ON = date(2026, 1, 1)
LEFT_ON = date(2026, 3, 31)
HANDED_OVER_ON = date(2026, 4, 1)
HIRED_LATE = {(1, 3): date(2025, 4, 1), (5, 3): date(2025, 10, 1)}
MOVED = {(1, 1): 0, (4, 2): 5}
"""Sellers by territory and rank who changed territory, team and manager in the reorganisation."""
LEAVER, SUCCESSOR = (3, 2), (3, 0)
ENGINEERS = {(0, 4), (2, 4), (4, 4)}


@dataclass(frozen=True)
class Seller:
    """A rep of the fourth level, who owns deals. `skill` scales the chance of winning, `pace` the number of deals."""

    key: str
    territory: int
    rank: int
    skill: float
    pace: float
    hired_on: date
    left_on: date | None = None
    moved_to: int | None = None

    def works_on(self, day: date) -> bool:
        return self.hired_on <= day and (self.left_on is None or day < self.left_on)

    def territory_on(self, day: date) -> int:
        return self.territory if self.moved_to is None or day < REORGANISED_ON else self.moved_to

    @property
    def ref(self) -> str:
        return ref("rep", self.key)


@dataclass(frozen=True)
class Account:
    ref: str
    name: str
    territory: int
    segment: str
    owner: Seller


@dataclass(frozen=True)
class Product:
    ref: str
    name: str
    family: str
    list_price: int
    cost: int
    weight: float


@dataclass
class Company:
    """What the lives of deals are drawn from, and the rows that bring it in."""

    sellers: list[Seller] = field(default_factory=list)
    engineers: dict[int, str] = field(default_factory=dict)
    accounts: list[Account] = field(default_factory=list)
    rows: dict[str, list[Row]] = field(default_factory=dict)

    @property
    def leaver(self) -> Seller:
        return next(x for x in self.sellers if (x.territory, x.rank) == LEAVER)

    @property
    def successor(self) -> Seller:
        return next(x for x in self.sellers if (x.territory, x.rank) == SUCCESSOR)


def found(seed: str, accounts: int) -> Company:
    company = Company()
    company.rows["territories"] = [{"external_id": f"territory-{t.key}", "name": t.name} for t in TERRITORIES]
    company.rows["teams"] = list(_teams())
    company.rows["reps"] = list(_reps(company, Dice(f"{seed}:reps")))
    company.rows["products"] = [_product_row(product) for product in PRODUCTS]
    company.rows["pipelines"] = [
        {"external_id": "pipeline-b2b", "name": "Field sales", "sales_model": "b2b", "is_default": True},
        {"external_id": "pipeline-saas", "name": "Subscriptions", "sales_model": "saas", "is_default": False},
    ]
    company.rows["stages"] = list(_stages())
    company.rows["exchange_rates"] = list(_rates(Dice(f"{seed}:rates")))
    company.rows["accounts"] = list(_accounts(company, Dice(f"{seed}:accounts"), accounts))
    return company


def _teams() -> Iterator[Row]:
    yield {"external_id": "team-sales", "name": "Sales", "parent_id": None}
    for key, name in REGIONS:
        yield {"external_id": f"team-{key}", "name": name, "parent_id": ref("team", "sales")}
    for territory in TERRITORIES:
        above = REGIONS[territory.region][0]
        yield {
            "external_id": f"team-{territory.key}",
            "name": territory.name,
            "parent_id": ref("team", above),
        }


_TITLES = (
    "Senior Account Executive", "Account Executive", "Account Executive", "Inside Sales Representative",
    "Inside Sales Representative",
)  # fmt: skip


def _reps(company: Company, dice: Dice) -> Iterator[Row]:
    """Rep 01 leads all, 02 to 04 a region each, 05 to 10 a territory each, 11 to 40 sell or help to sell."""

    def person(number: int, title: str, function: str, **rest: Any) -> Row:
        label = f"{number:02d}"
        return {
            "external_id": f"rep-{label}", "name": f"Rep {label}", "email": f"rep-{label}@demo.example",
            "title": title, "function": function, "status": "active", "left_on": None, **rest,
        }  # fmt: skip

    def long_ago() -> str:
        return dice.day(date(2018, 1, 2), date(2024, 6, 28)).isoformat()

    yield person(1, "Chief Revenue Officer", "manager", manager_id=None, team_id=ref("team", "sales"),
                 territory_id=None, hired_on=long_ago())  # fmt: skip
    for region, (key, name) in enumerate(REGIONS):
        yield person(2 + region, f"Vice President {name}", "manager", manager_id=ref("rep", "01"),
                     team_id=ref("team", key), territory_id=None, hired_on=long_ago())  # fmt: skip
    for index, territory in enumerate(TERRITORIES):
        yield person(5 + index, "Sales Manager", "manager", manager_id=ref("rep", f"{2 + territory.region:02d}"),
                     team_id=ref("team", territory.key), territory_id=ref("territory", territory.key),
                     hired_on=long_ago())  # fmt: skip
    for number in range(11, 41):
        place = ((number - 11) % 6, (number - 11) // 6)
        hired_on = HIRED_LATE.get(place) or date.fromisoformat(long_ago())
        skill, pace = round(1.0 + 0.24 * dice.bell(), 3), round(dice.around(0.75, 1.25), 3)
        if place in ENGINEERS:
            company.engineers[TERRITORIES[place[0]].region] = ref("rep", f"{number:02d}")
            row = person(number, "Sales Engineer", "sales_engineer", **_assigned(place[0]))
        else:
            seller = Seller(
                f"{number:02d}", *place, max(skill, 0.5), pace, hired_on,
                LEFT_ON if place == LEAVER else None, MOVED.get(place),
            )  # fmt: skip
            company.sellers.append(seller)
            function = "field" if place[1] < 3 else "inside"
            row = person(number, _TITLES[place[1]], function, **_assigned(seller.territory_on(TODAY)))
            _remember(row, seller)
        row["hired_on"] = hired_on.isoformat()
        yield row


def _assigned(territory: int) -> Row:
    key = TERRITORIES[territory].key
    return {
        "manager_id": ref("rep", f"{5 + territory:02d}"),
        "team_id": ref("team", key),
        "territory_id": ref("territory", key),
    }


def _remember(row: Row, seller: Seller) -> None:
    """Who moved or left brings its past along."""
    start = midnight(seller.hired_on)
    if seller.moved_to is not None:
        row["history"] = [
            {"at": start, **_assigned(seller.territory)},
            {"at": midnight(REORGANISED_ON), **_assigned(seller.moved_to)},
        ]
    if seller.left_on is not None:
        row |= {"status": "inactive", "left_on": seller.left_on.isoformat()}
        row["history"] = [
            {"at": start, "status": "active", "left_on": None},
            {"at": midnight(HANDED_OVER_ON), "status": "inactive", "left_on": seller.left_on.isoformat()},
        ]


def _catalogue() -> Iterator[Product]:
    families = (
        (
            "Platform",
            (("Starter", 1_200, 0.22, 9), ("Business", 4_800, 0.24, 8), ("Enterprise", 14_400, 0.2, 4)),
        ),
        (
            "Insight",
            (("Reports", 900, 0.15, 7), ("Dashboards", 2_400, 0.17, 6), ("Forecasts", 6_000, 0.19, 3)),
        ),
        ("Connect", (("Sync", 700, 0.3, 6), ("Gateway", 3_200, 0.34, 4), ("Warehouse", 7_500, 0.36, 2))),
        (
            "Services",
            (("Onboarding", 2_000, 0.62, 5), ("Training", 1_500, 0.58, 4), ("Support", 3_600, 0.48, 4)),
        ),
    )
    for family, members in families:
        for name, price, cost, weight in members:
            key = f"product-{family}-{name}".lower()
            yield Product(f"{SOURCE}:{key}", f"{family} {name}", family, price, round(price * cost), weight)


PRODUCTS = tuple(_catalogue())


def _product_row(product: Product) -> Row:
    key = product.ref.removeprefix(f"{SOURCE}:")
    return {
        "external_id": key, "name": product.name, "family": product.family,
        "code": key.removeprefix("product-").upper(), "list_price": product.list_price, "cost": product.cost,
        "currency": "USD", "active": True,
    }  # fmt: skip


STAGES: dict[str, tuple[tuple[str, float, str, int], ...]] = {
    "b2b": (
        ("Qualification", 0.1, "pipeline", 30), ("Discovery", 0.2, "pipeline", 30), ("Proposal", 0.4, "best_case", 25),
        ("Negotiation", 0.7, "commit", 20),
    ),
    "saas": (("Trial", 0.15, "pipeline", 20), ("Evaluation", 0.35, "best_case", 20), ("Contract", 0.65, "commit", 15)),
}  # fmt: skip
"""Open stages by pipeline: name, probability, forecast category, days after which a deal there has stalled."""


def stage(pipeline: str, name: str) -> str:
    return ref("stage", f"{pipeline}-{name.lower()}")


def _stages() -> Iterator[Row]:
    for pipeline, open_stages in STAGES.items():
        ended = (
            ("Won", 1.0, "closed", None),
            ("Lost", 0.0, "omitted", None),
            ("Abandoned", 0.0, "omitted", None),
        )
        for position, (name, probability, forecast, stalled) in enumerate((*open_stages, *ended)):
            yield {
                "external_id": f"stage-{pipeline}-{name.lower()}", "pipeline_id": ref("pipeline", pipeline),
                "name": name, "position": position, "category": name.lower() if stalled is None else "open",
                "probability": probability, "forecast_category": forecast, "stalled_after_days": stalled,
            }  # fmt: skip


def _rates(dice: Dice) -> Iterator[Row]:
    """One rate a month. Those of the pound begin in February 2025 only: what was closed in pounds before has no
    price in dollars, and every metric has to count it apart instead of guessing."""
    for currency, start, first in (("EUR", 1.09, FIRST_OPENING), ("GBP", 1.26, date(2025, 2, 1))):
        rate = start
        for day in months(first, TODAY):
            yield {
                "external_id": f"rate-{currency}-{day}", "from_currency": currency, "to_currency": "USD",
                "on_day": day.isoformat(), "rate": round(rate, 4),
            }  # fmt: skip
            rate += 0.012 * dice.bell()


_STONES = (
    "Basalt", "Granite", "Slate", "Marble", "Quartz", "Flint", "Amber", "Jasper", "Onyx", "Topaz", "Opal", "Garnet",
    "Beryl", "Cobalt", "Copper", "Nickel", "Zinc", "Silica", "Gypsum", "Pumice",
)  # fmt: skip
_INDUSTRIES = (
    ("retail", 5), ("manufacturing", 5), ("software", 4), ("healthcare", 3), ("finance", 3), ("logistics", 3),
    ("education", 2), ("energy", 2),
)  # fmt: skip


def _accounts(company: Company, dice: Dice, count: int) -> Iterator[Row]:
    territories = Weighted((index, t.demand) for index, t in enumerate(TERRITORIES))
    industries, countries = Weighted(_INDUSTRIES), [Weighted(t.countries) for t in TERRITORIES]
    leaver, successor = company.leaver, company.successor
    for number in range(1, count + 1):
        territory = territories.draw(dice)
        owner = dice.pick(
            [x for x in company.sellers if x.territory == territory and x.hired_on < FIRST_OPENING]
        )
        industry = industries.draw(dice)
        employees = max(3, int(dice.skewed(180, 1.5)))
        segment = "smb" if employees < 100 else "mid_market" if employees < 1000 else "enterprise"
        key = f"account-{number:04d}"
        name = f"{dice.pick(_STONES)} {industry.capitalize()} {number:04d}"
        parent = (
            company.accounts[dice.between(0, number - 2)].ref if number > 20 and dice.chance(0.05) else None
        )
        company.accounts.append(Account(f"{SOURCE}:{key}", name, territory, segment, owner))
        row: Row = {
            "external_id": key, "name": name, "parent_id": parent, "owner_id": owner.ref,
            "territory_id": ref("territory", TERRITORIES[territory].key), "industry": industry, "segment": segment,
            "employees": employees, "country": countries[territory].draw(dice),
            "website": f"https://{key}.example",
        }  # fmt: skip
        if owner is leaver:
            row["owner_id"] = successor.ref
            row["history"] = [
                {"at": midnight(date(2024, 1, 1)), "owner_id": leaver.ref},
                {"at": midnight(HANDED_OVER_ON), "owner_id": successor.ref},
            ]
        yield row
