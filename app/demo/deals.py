"""The lives of deals: opened, moved, pushed, handed over, closed, now and then reopened.

Each life is a list of points of time with the fields that changed there. The row that the API takes is what the points
add up to, with the points as its `history`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from app.demo import company as org
from app.demo.calendar import FIRST_DAY, FIRST_OPENING, LAST_DAY, NOW, TODAY, at, quarter_end, written
from app.demo.company import PRODUCTS, STAGES, Account, Company, Row, Seller, ref, stage
from app.demo.dice import Dice, Weighted
from app.demo.prices import listed

_WON, _LOST, _ABANDONED = "Won", "Lost", "Abandoned"

_TYPES = Weighted((("new_business", 60), ("expansion", 25), ("renewal", 15)))
_SOURCES = Weighted((("website", 30), ("outbound", 25), ("event", 15), ("partner", 15), ("referral", 15)))
_REASONS = Weighted(
    (("price", 34), ("no_decision", 26), ("competitor", 22), ("missing_feature", 12), ("timing", 6))
)
_COMPETITORS = ("Rival A", "Rival B", "Rival C")
_NEXT_STEPS = (
    "Send the revised quote",
    "Agree on the start date",
    "Meet procurement",
    "Show the pilot's results",
)
_LUCK = {
    "new_business": 0.8, "expansion": 1.2, "renewal": 1.9,
    "website": 1.0, "outbound": 0.75, "event": 0.9, "partner": 1.15, "referral": 1.4,
    "smb": 1.1, "mid_market": 1.0, "enterprise": 0.85,
}  # fmt: skip
_BASE_CHANCE = 0.285
_TERMS = Weighted(((12, 62), (24, 14), (36, 16), (1, 4), (None, 4)))
"""Months for which a subscription is sold; of some nobody noted it."""
_SEATS = {"smb": 0.5, "mid_market": 1.2, "enterprise": 3.0}
_CYCLE = {"b2b": (62, 0.5), "saas": (27, 0.45)}
_SLOWER = {"smb": 0.8, "mid_market": 1.0, "enterprise": 1.35}
_SEASON = (0.85, 0.95, 1.1, 1.0, 1.05, 1.0, 0.75, 0.65, 1.15, 1.2, 1.15, 0.7)
"""How many deals are opened, by month."""


@dataclass
class Life:
    """One deal on its way; `points` come in any order and are put right at the end."""

    key: str
    seller: Seller
    account: Account
    pipeline: str
    opened_at: datetime
    fields: Row
    points: list[tuple[datetime, Row]] = field(default_factory=list)
    ends: list[tuple[datetime, str]] = field(default_factory=list)

    def note(self, moment: datetime, **changes: Any) -> None:
        self.points.append((moment, changes))


@dataclass(frozen=True)
class Deal:
    """What other parts of the demo need to know of a deal, and its row."""

    ref: str
    account: str
    owner: str
    opened_at: datetime
    ended_at: datetime | None
    row: Row


def live(company: Company, seed: str, count: int) -> Iterator[Deal]:
    dice, terms = Dice(f"{seed}:deals"), Dice(f"{seed}:terms")
    sellers = Weighted((seller, seller.pace) for seller in company.sellers)
    products = Weighted((product, product.weight) for product in PRODUCTS)
    by_territory: dict[int, list[Account]] = {}
    by_owner: dict[str, list[Account]] = {}
    for account in company.accounts:
        by_territory.setdefault(account.territory, []).append(account)
        by_owner.setdefault(account.owner.key, []).append(account)
    for number in range(1, count + 1):
        life = _begin(f"opportunity-{number:05d}", company, sellers, by_territory, by_owner, dice)
        amount = _price(life, products, dice)
        _pass_stages(life, amount, dice)
        _expect(life, dice)
        _change_hands(life, company, dice)
        _credit(life, company, dice)
        if life.pipeline == "saas" and (term := _TERMS.draw(terms)):
            life.fields["term_months"] = term
        yield _written(life, dice)


def _begin(
    key: str,
    company: Company,
    sellers: Weighted[Seller],
    by_territory: dict[int, list[Account]],
    by_owner: dict[str, list[Account]],
    dice: Dice,
) -> Life:
    """Draw until somebody works who can open it, and until it does not close before the two years begin."""
    while True:
        day = _workday(dice.day(FIRST_OPENING, TODAY - timedelta(days=1)))
        seller = sellers.draw(dice)
        if not dice.chance(_SEASON[day.month - 1] / 1.2) or not seller.works_on(day):
            continue
        territory = seller.territory_on(day)
        own = by_owner.get(seller.key, ())
        near = (
            own
            if own and territory == seller.territory and dice.chance(0.7)
            else by_territory.get(territory, ())
        )
        account = dice.pick(near or company.accounts)
        pipeline = "b2b" if dice.chance(0.75 if account.segment == "enterprise" else 0.55) else "saas"
        kind, source = _TYPES.draw(dice), _SOURCES.draw(dice)
        fate, days = _fate(seller, account, pipeline, (kind, source), dice)
        opened_at = at(day, dice.between(7, 16), dice.between(0, 59))
        closed_at = _close(opened_at, days, fate, dice)
        if closed_at.date() < FIRST_DAY:
            continue
        home = org.TERRITORIES[territory].currency
        fields: Row = {
            "account_id": account.ref, "currency": home if dice.chance(0.93) else "USD", "type": kind,
            "sales_channel": "partner" if source == "partner" else "inside" if seller.rank > 2 else "direct",
            "lead_source": source, "opened_at": written(opened_at),
        }  # fmt: skip
        life = Life(key, seller, account, pipeline, opened_at, fields)
        life.ends.append((closed_at, fate))
        return life


def _fate(
    seller: Seller, account: Account, pipeline: str, luck: tuple[str, ...], dice: Dice
) -> tuple[str, float]:
    chance = _BASE_CHANCE * seller.skill * _LUCK[account.segment]
    for name in luck:
        chance *= _LUCK[name]
    median, spread = _CYCLE[pipeline]
    days = max(2.0, dice.skewed(median * _SLOWER[account.segment], spread))
    if dice.chance(0.07):
        return _ABANDONED, days * 1.6
    if dice.chance(min(max(chance, 0.05), 0.8)):
        return _WON, days
    return _LOST, days * 1.1


def _close(opened_at: datetime, days: float, fate: str, dice: Dice) -> datetime:
    """Won deals crowd into the last days of a quarter; those of January are often pulled into the old year."""
    next_day = opened_at.date() + timedelta(days=1)
    day = opened_at.date() + timedelta(days=int(days))
    if fate == _WON and day.month == 1 and dice.chance(0.5):
        day -= timedelta(days=day.day + dice.between(0, 11))
    elif fate == _WON and dice.chance(0.3 if day.month < 10 else 0.45):
        day = quarter_end(day) - timedelta(days=dice.between(1, 12))
    return at(max(_workday(day), next_day), dice.between(8, 17), dice.between(0, 59))


def _workday(day: date) -> date:
    return day - timedelta(days=max(0, day.weekday() - 4))


def _price(life: Life, products: Weighted[org.Product], dice: Dice) -> int:
    """Lines and their sum. A few deals hold something that no line covers."""
    currency, seats = life.fields["currency"], _SEATS[life.account.segment]
    lines: list[Row] = []
    chosen: set[str] = set()
    for _ in range(1 + dice.chance(0.45) + dice.chance(0.2)):
        product = products.draw(dice)
        if product.ref in chosen:
            continue
        chosen.add(product.ref)
        list_price = listed(product, currency)
        unit_price = round(list_price * (1 - (dice.around(0.03, 0.25) if dice.chance(0.5) else 0.0)))
        quantity = max(1, int(dice.skewed(2.2 * seats, 0.6)))
        if product.family == "Services":
            quantity = max(1, quantity // 3)
        lines.append({
            "product_id": product.ref, "position": len(lines), "quantity": quantity, "list_price": list_price,
            "unit_price": unit_price, "amount": quantity * unit_price,
        })  # fmt: skip
    total = sum(line["amount"] for line in lines)
    family = next(p.family for p in PRODUCTS if p.ref == lines[0]["product_id"])
    life.fields |= {"name": f"{life.account.name}, {family}", "line_items": lines}
    return total + (round(total * 0.12) if dice.chance(0.06) else 0)


def _pass_stages(life: Life, amount: int, dice: Dice) -> None:
    """Through the open stages to the close; a lost deal stops at some stage, a lucky one skips one.

    The first amount is a guess; the offer, about halfway, makes it exact.
    """
    names = [name for name, *_ in STAGES[life.pipeline]]
    closed_at, fate = life.ends[0]
    reached = len(names) if fate == _WON else dice.between(1, len(names))
    path = names[:reached]
    if reached > 2 and dice.chance(0.15):
        path.pop(dice.between(1, reached - 2))
    span = closed_at - life.opened_at
    guess = round(amount * dice.around(0.07, 0.135)) * 10 if dice.chance(0.6) else amount
    moments = sorted(dice.around(0.05, 0.95) for _ in path[1:])
    life.note(life.opened_at, stage_id=stage(life.pipeline, path[0]), amount=guess, owner_id=life.seller.ref)
    for index, (share, name) in enumerate(zip(moments, path[1:], strict=True)):
        moved_at = _whole_minute(life.opened_at + span * share)
        changes: Row = {"stage_id": stage(life.pipeline, name)}
        if index == (len(path) - 1) // 2:
            changes["amount"] = amount
        life.note(moved_at, **changes)
    _end(life, closed_at, fate, amount if fate == _WON else None, dice)
    if fate != _ABANDONED and dice.chance(0.02 if fate == _LOST else 0.012):
        _reopen(life, names[-1], amount, dice)


def _end(life: Life, moment: datetime, fate: str, amount: int | None, dice: Dice) -> None:
    changes: Row = {"stage_id": stage(life.pipeline, fate), "loss_reason": None, "competitor": None}
    if amount is not None:
        changes["amount"] = amount
    if fate == _LOST:
        changes["loss_reason"] = _REASONS.draw(dice)
        if changes["loss_reason"] == "competitor":
            changes["competitor"] = dice.pick(_COMPETITORS)
    life.note(moment, **changes)


def _reopen(life: Life, last_stage: str, amount: int, dice: Dice) -> None:
    """A lost customer comes back and often buys; a won one withdraws and mostly does not."""
    closed_at, fate = life.ends[0]
    again = _whole_minute(closed_at + timedelta(days=dice.around(6, 45)))
    life.note(again, stage_id=stage(life.pipeline, last_stage), loss_reason=None, competitor=None)
    second = _WON if dice.chance(0.6 if fate == _LOST else 0.25) else _LOST
    ended = at(_workday((again + timedelta(days=dice.around(5, 60))).date()), 18, dice.between(0, 59))
    ended = max(ended, again + timedelta(hours=3))
    _end(life, ended, second, amount if second == _WON else None, dice)
    life.ends += [(again, "open"), (ended, second)]


def _expect(life: Life, dice: Dice) -> None:
    """A close is expected soon; each time the day has passed, it is put off."""
    closed_at = life.ends[0][0]
    median, _ = _CYCLE[life.pipeline]
    expected = life.opened_at.date() + timedelta(days=int(median * dice.around(0.7, 1.5)))
    expected = min(expected, LAST_DAY)
    life.note(life.opened_at, expected_close_on=expected.isoformat())
    while expected < min(closed_at, NOW).date():
        moment = at(expected, 18, 30)
        expected = min(expected + timedelta(days=dice.between(14, 40)), LAST_DAY)
        life.note(moment, expected_close_on=expected.isoformat())


def _change_hands(life: Life, company: Company, dice: Dice) -> None:
    """Handovers: open deals of whoever left, some in the middle of their life, a few after the close (which leave
    the credit where it was)."""
    closed_at, _ = life.ends[-1]
    handed_over = at(org.HANDED_OVER_ON, 7)
    if life.seller is company.leaver and closed_at > handed_over:
        life.note(handed_over, owner_id=company.successor.ref)
        return
    territory = life.seller.territory_on(life.opened_at.date())
    if dice.chance(0.02):
        moment = _whole_minute(life.opened_at + (closed_at - life.opened_at) * dice.around(0.3, 0.8))
    elif dice.chance(0.006):
        moment = _whole_minute(closed_at + timedelta(days=dice.around(5, 90)))
    else:
        return
    day = moment.date()
    others = [
        x for x in company.sellers
        if x is not life.seller and x is not company.leaver and x.works_on(day) and x.territory_on(day) == territory
    ]  # fmt: skip
    if others:
        life.note(moment, owner_id=dice.pick(others).ref)


def _credit(life: Life, company: Company, dice: Dice) -> None:
    """Shared credit on one deal in twenty; sales engineers help on the larger ones, some with overlay credit."""
    territory = life.seller.territory_on(life.opened_at.date())
    engineer = company.engineers[org.TERRITORIES[territory].region]
    splits: list[Row] = []
    team: list[Row] = []
    if dice.chance(0.05):
        partner = dice.pick([x for x in company.sellers if x is not life.seller and x is not company.leaver])
        share = dice.pick((0.5, 0.6, 0.7, 0.8))
        splits = [
            {"rep_id": life.seller.ref, "kind": "revenue", "share": share},
            {"rep_id": partner.ref, "kind": "revenue", "share": round(1 - share, 1)},
        ]
    if life.account.segment == "enterprise" and dice.chance(0.4):
        team.append({"rep_id": engineer, "role": "Sales engineer"})
        if dice.chance(0.3):
            splits.append({"rep_id": engineer, "kind": "overlay", "share": 1.0})
    if splits:
        life.fields["splits"] = splits
    if team:
        life.fields["team"] = team


def _written(life: Life, dice: Dice) -> Deal:
    """Points put in order, what lies ahead cut off, changes that change nothing left out."""
    row: Row = {"external_id": life.key, **life.fields}
    state: Row = {}
    history: list[Row] = []
    for moment, changes in sorted(life.points, key=lambda point: point[0]):
        if moment >= NOW:
            break
        new = {name: value for name, value in changes.items() if name not in state or state[name] != value}
        new = {name: value for name, value in new.items() if not (value is None and name not in state)}
        if not new:
            continue
        state |= new
        if history and history[-1]["at"] == written(moment):
            history[-1] |= new
        else:
            history.append({"at": written(moment), **new})
    for name in ("loss_reason", "competitor"):
        if name in state:  # else the first value would be carried back to the beginning
            history[0].setdefault(name, None)
    row |= state
    ended = next((moment for moment, fate in reversed(life.ends) if moment < NOW and fate != "open"), None)
    if state["stage_id"].endswith(("-won", "-lost", "-abandoned")):
        assert ended is not None, "only an end leads into such a stage"
    else:
        ended = None
        if dice.chance(0.4):
            row["next_step"] = dice.pick(_NEXT_STEPS)
        if dice.chance(0.05):
            row["probability"] = dice.pick((0.25, 0.5, 0.6, 0.8, 0.9))
    row["history"] = history
    return Deal(ref_of(life.key), life.account.ref, state["owner_id"], life.opened_at, ended, row)


def ref_of(key: str) -> str:
    return f"{org.SOURCE}:{key}"


def _whole_minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)


__all__ = ["Deal", "live", "ref"]
