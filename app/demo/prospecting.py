"""How business began: the people at the accounts, campaigns and whom they reached, leads and what became of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from app.demo.calendar import FIRST_OPENING, NOW, QUARTERS, TODAY, at, quarter_end, written
from app.demo.company import SOURCE, TERRITORIES, Company, Row, ref
from app.demo.deals import Deal
from app.demo.dice import Dice, Weighted

_TITLES = (
    ("Head of Procurement", "Procurement"), ("Head of Operations", "Operations"), ("IT Manager", "IT"),
    ("Finance Director", "Finance"), ("Analyst", "Operations"), ("Managing Director", "Management"),
)  # fmt: skip
_ROLES = ("decision_maker", "economic_buyer", "influencer", "user")
_CHANNELS = {"event": ("Fair", 18_000), "webinar": ("Webinar", 2_500), "email": ("Newsletter", 900)}
_REASONS = Weighted((("no_budget", 35), ("no_need", 30), ("not_reachable", 20), ("competitor", 15)))
_SOURCES = Weighted((("website", 45), ("event", 30), ("outbound", 15), ("partner", 10)))


@dataclass
class Prospects:
    """Rows by noun. `people` are the contacts of an account by its reference."""

    rows: dict[str, list[Row]] = field(default_factory=dict)
    people: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class _Campaign:
    ref: str
    channel: str
    starts_on: date
    ends_on: date


def reach(company: Company, deals: list[Deal], seed: str, count: int) -> Prospects:
    """`count` leads. Some deals are told who of the account takes part in them, and some by which campaign they came;
    what is told of a deal otherwise is drawn elsewhere and stays as it is."""
    found = Prospects()
    rows, dice = found.rows, Dice(f"{seed}:prospects")
    rows["contacts"] = list(_contacts(company, found, dice))
    campaigns: list[_Campaign] = []
    rows["campaigns"] = list(_campaigns(campaigns, dice))
    rows["lead_queues"] = [
        {"external_id": f"queue-{key}", "name": name, "description": f"Leads of {name} that nobody has taken"}
        for key, name in (("inbound", "Inbound"), ("events", "Events"))
    ]
    rows["scoring_rules"] = [
        {"external_id": f"rule-{key}", "name": name, "field": of, "operator": operator, "value": value,
         "points": points, "active": True}
        for key, name, of, operator, value, points in (
            ("large", "Large company", "employees", "gte", "1000", 30),
            ("partner", "Brought by a partner", "lead_source", "eq", "partner", 20),
            ("boss", "Decides", "title", "contains", "Head", 15),
        )
    ]  # fmt: skip
    for deal in deals:
        _take_part(deal, found.people[deal.account], dice)
    rows["leads"] = list(_leads(company, deals, found, campaigns, dice, count))
    rows["campaign_members"], rows["touches"] = _reached(found, campaigns, dice)
    return found


def _contacts(company: Company, found: Prospects, dice: Dice) -> Iterator[Row]:
    owners = {f"{SOURCE}:{row['external_id']}": row["owner_id"] for row in company.rows["accounts"]}
    number = 0
    for account in company.accounts:
        people = found.people.setdefault(account.ref, [])
        for _ in range(1 + dice.chance(0.3) + dice.chance(0.1)):
            number += 1
            key = f"{number:05d}"
            title, department = dice.pick(_TITLES)
            people.append(ref("contact", key))
            yield {
                "external_id": f"contact-{key}", "name": f"Contact {key}", "account_id": account.ref,
                "owner_id": owners[account.ref], "title": title, "department": department,
                "email": f"contact-{key}@{account.ref.removeprefix(f'{SOURCE}:')}.example",
            }  # fmt: skip


def _campaigns(found: list[_Campaign], dice: Dice) -> Iterator[Row]:
    for year, quarter in QUARTERS:
        for channel, (name, cost) in _CHANNELS.items():
            key = f"{year}-q{quarter}-{channel}"
            first = date(year, quarter * 3 - 2, 1) + timedelta(days=dice.between(5, 50))
            campaign = _Campaign(
                ref("campaign", key), channel, first, first + timedelta(days=dice.between(3, 30))
            )
            found.append(campaign)
            over = campaign.ends_on <= TODAY
            status = "completed" if over else "planned" if first > TODAY else "active"
            budget = round(cost * dice.around(0.8, 1.3), -2)
            yield {
                "external_id": f"campaign-{key}", "name": f"{name} {year}-Q{quarter}", "channel": channel,
                "status": status, "starts_on": first.isoformat(), "ends_on": campaign.ends_on.isoformat(),
                "budget": budget, "currency": "USD",
                **({"actual_cost": round(budget * dice.around(0.7, 1.2), -1)} if over else {}),
            }  # fmt: skip


def _take_part(deal: Deal, people: list[str], dice: Dice) -> None:
    """Of one deal in twelve it is known who of the account takes part."""
    if dice.chance(1 / 12):
        deal.row["contact_roles"] = [
            {"contact_id": person, "role": dice.pick(_ROLES), "is_primary": place == 0}
            for place, person in enumerate(people)
        ]


def _leads(
    company: Company, deals: list[Deal], found: Prospects, campaigns: list[_Campaign], dice: Dice, count: int
) -> Iterator[Row]:
    new = [x for x in deals if x.row["type"] == "new_business"]
    becoming = sorted({dice.between(0, len(new) - 1) for _ in range(count // 3)})
    for number in range(1, count + 1):
        key = f"{number:05d}"
        title, _ = dice.pick(_TITLES)
        row: Row = {
            "external_id": f"lead-{key}", "name": f"Lead {key}", "title": title, "email": f"lead-{key}@demo.example",
            "employees": max(3, int(dice.skewed(180, 1.5))),
        }  # fmt: skip
        deal = new[becoming.pop()] if becoming else None
        if deal:
            _convert(row, deal, found, dice)
        else:
            _drift(row, company, dice)
        received = datetime.fromisoformat(row["received_at"])
        campaign = _credited(row["lead_source"], received.date(), campaigns) if dice.chance(0.5) else None
        if campaign:
            row["campaign_id"] = campaign.ref
            if deal:
                deal.row["campaign_id"] = campaign.ref
        yield row


def _convert(row: Row, deal: Deal, found: Prospects, dice: Dice) -> None:
    """It became this deal, with the account's first contact."""
    received = _minute(deal.opened_at - timedelta(days=dice.around(2, 40)))
    answered = _minute(received + timedelta(hours=dice.skewed(3, 1.2)))
    qualified = _minute(received + (deal.opened_at - received) * dice.around(0.3, 0.9))
    row |= {
        "company": deal.row["name"].partition(",")[0], "lead_source": deal.row["lead_source"], "status": "converted",
        "owner_id": deal.row["history"][0]["owner_id"], "received_at": written(received),
        "first_response_at": written(min(answered, qualified)), "qualified_at": written(qualified),
        "converted_at": written(deal.opened_at), "converted_account_id": deal.account,
        "converted_contact_id": found.people[deal.account][0], "converted_opportunity_id": deal.ref,
    }  # fmt: skip


def _drift(row: Row, company: Company, dice: Dice) -> None:
    """It came to nothing, or to nothing yet; the newest wait in a queue."""
    received = at(
        dice.day(FIRST_OPENING, TODAY - timedelta(days=1)), dice.between(6, 20), dice.between(0, 59)
    )
    territory = dice.pick(TERRITORIES)
    sellers = [x for x in company.sellers if x.works_on(received.date()) and x is not company.leaver]
    row |= {
        "company": f"Prospect {row['external_id'][5:]}", "country": territory.countries[0][0],
        "lead_source": _SOURCES.draw(dice), "received_at": written(received), "status": "new",
    }  # fmt: skip
    age = NOW - received
    if age < timedelta(days=5):
        row["queue_id"] = ref("queue", "events" if row["lead_source"] == "event" else "inbound")
        return
    row["owner_id"] = dice.pick(sellers).ref
    if dice.chance(0.9):
        answered = _minute(received + timedelta(hours=dice.skewed(6, 1.3)))
        if answered < NOW:
            row |= {"status": "working", "first_response_at": written(answered)}
    ended = _minute(received + age * dice.around(0.05, 0.9))
    if age > timedelta(days=60) or dice.chance(0.3):
        row |= {
            "status": "disqualified", "disqualified_at": written(ended), "disqualified_reason": _REASONS.draw(dice)
        }  # fmt: skip
    elif dice.chance(0.4):
        row |= {"status": "qualified", "qualified_at": written(ended)}


_BRINGS = {"event": ("event",), "website": ("webinar", "email")}


def _credited(source: str, day: date, campaigns: list[_Campaign]) -> _Campaign | None:
    """The latest campaign of its kind that had begun by then, in the same quarter or the one before."""
    begun = [x for x in campaigns if x.channel in _BRINGS.get(source, ()) and x.starts_on <= day]
    return begun[-1] if begun and quarter_end(quarter_end(begun[-1].starts_on)) > day else None


def _reached(found: Prospects, campaigns: list[_Campaign], dice: Dice) -> tuple[list[Row], list[Row]]:
    """Members are whom a campaign brought, and contacts it was sent to; whoever answered was touched."""
    members: list[Row] = []
    touches: list[Row] = []
    brought: dict[str, list[tuple[Row, datetime]]] = {}
    for row in found.rows["leads"]:
        if "campaign_id" in row:
            brought.setdefault(row["campaign_id"], []).append(
                (row, datetime.fromisoformat(row["received_at"]))
            )
    contacts = [person for people in found.people.values() for person in people]
    for campaign in campaigns:
        if campaign.starts_on > TODAY:
            continue
        people: dict[tuple[str, str], datetime | None] = {
            ("lead_id", f"{SOURCE}:{lead['external_id']}"): moment
            for lead, moment in brought.get(campaign.ref, ())
        }
        for _ in range(max(1, len(contacts) // 40)):
            last = min(campaign.ends_on, TODAY) - timedelta(days=1)
            moment = at(dice.day(campaign.starts_on, max(last, campaign.starts_on)), 9, dice.between(0, 59))
            answered = moment if dice.chance(0.25) and moment < NOW else None
            people.setdefault(("contact_id", dice.pick(contacts)), answered)
        for (kind, person), answered in people.items():
            joined = at(campaign.starts_on, 8)
            members.append({
                "external_id": f"member-{len(members) + 1:05d}", "campaign_id": campaign.ref, kind: person,
                "status": "responded" if answered else "sent", "joined_at": written(min(joined, answered or joined)),
                **({"responded_at": written(answered)} if answered else {}),
            })  # fmt: skip
            if answered:
                what = {"event": "visited_stand", "webinar": "attended", "email": "link_followed"}[
                    campaign.channel
                ]
                touches.append({
                    "external_id": f"touch-{len(touches) + 1:05d}", "campaign_id": campaign.ref, kind: person,
                    "kind": what, "occurred_at": written(answered),
                })  # fmt: skip
    return members, touches


def _minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)
