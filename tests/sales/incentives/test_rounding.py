"""Parts sum to the whole and lie within a minor unit of what is exact, in whatever order they come: 100,000 of each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import Any
from uuid import UUID

from app.sales.incentives import credits, earnings
from app.sales.incentives.asked import Asked
from tests.sales.incentives import oracle

CASES = 100_000
DIGITS = {"JPY": 0, "USD": 2, "KWD": 3}
TENANT = UUID(int=1)


def _ids(draw: Random, count: int) -> list[UUID]:
    return [UUID(int=draw.getrandbits(128)) for _ in range(count)]


def _amount(draw: Random, digits: int) -> Decimal:
    """Of 1 to 13 digits; some in finer money than there is."""
    finer = digits if draw.random() < 0.9 else 4
    return Decimal(draw.randrange(10 ** draw.randint(1, 13)) * draw.choice([1, 1, 1, -1])).scaleb(-finer)


async def _fetch(database: Any, asked: Asked, text: str) -> list[Any]:
    async with database.transaction(TENANT) as session:
        return await asked.of(session, text)


def _minor(asked: Asked) -> str:
    currencies, digits = asked.give(list(DIGITS), "text[]"), asked.give(list(DIGITS.values()), "integer[]")
    return f"minor as (select * from unnest({currencies}, {digits}) as m(currency, digits))"


# --- splits ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Divided:
    id: UUID
    amount: Decimal
    currency: str
    shares: dict[UUID, Decimal]


def _divided(draw: Random, id_: UUID, reps: Sequence[UUID]) -> Divided:
    currency = draw.choice(list(DIGITS))
    whom = draw.sample(reps, draw.randint(2, 6))
    if draw.random() < 0.3:
        # Shares alike, so that remainders tie.
        shares = [1_000_000 // len(whom)] * len(whom)
        shares[0] += 1_000_000 - sum(shares)
    else:
        cuts = sorted(draw.sample(range(1, 1_000_000), len(whom) - 1))
        shares = [b - a for a, b in zip([0, *cuts], [*cuts, 1_000_000], strict=True)]
    told = {who: Decimal(share).scaleb(-6) for who, share in zip(whom, shares, strict=True)}
    return Divided(id_, _amount(draw, DIGITS[currency]), currency, told)


async def _cut(database: Any, deals: Sequence[Divided], draw: Random) -> dict[UUID, dict[UUID, Decimal]]:
    """By the service's own statement, over rows that are given in place of the tables'."""
    asked = Asked()
    deals = draw.sample(deals, len(deals))
    splits = [(deal.id, *part) for deal in deals for part in deal.shares.items()]
    draw.shuffle(splits)
    tenant = asked.give(TENANT, "uuid")
    text = f"""
with opportunity_splits as (
  select {tenant} as tenant_id, 'revenue' as kind, s.* from unnest(
    {asked.give([x[0] for x in splits], "uuid[]")}, {asked.give([x[1] for x in splits], "uuid[]")},
    {asked.give([x[2] for x in splits], "numeric[]")}
  ) as s(opportunity_id, rep_id, share)
),
deals as (
  select d.*, null::uuid as owner_id from unnest(
    {asked.give([x.id for x in deals], "uuid[]")}, {asked.give([x.amount for x in deals], "numeric[]")},
    {asked.give([x.currency for x in deals], "text[]")}
  ) as d(id, amount, currency)
),
{_minor(asked)},
{credits.credits(tenant, with_reversed=False, with_team=False, only=False)}
select opportunity_id, rep_id, credit from held where via = 'own'"""
    found: dict[UUID, dict[UUID, Decimal]] = defaultdict(dict)
    for deal, rep, credit in await _fetch(database, asked, text):
        found[deal][rep] = credit
    return found


async def test_splits(database: Any) -> None:
    draw = Random(1)
    reps = _ids(draw, 50)
    deals = [_divided(draw, x, reps) for x in _ids(draw, CASES // 4)]
    assert sum(len(x.shares) for x in deals) >= CASES - 2_000
    found = await _cut(database, deals, draw)
    for deal in deals:
        parts = found[deal.id]
        finest = -min(0, int(deal.amount.normalize().as_tuple().exponent))
        unit = Decimal(1).scaleb(-max(DIGITS[deal.currency], finest))
        assert sum(parts.values()) == deal.amount
        assert all(abs(parts[who] - deal.amount * share) < unit for who, share in deal.shares.items())
        exact = {who: Fraction(x) for who, x in deal.shares.items()}
        assert parts == oracle.parts(Fraction(deal.amount), exact, Fraction(unit))
    assert await _cut(database, deals, draw) == found, "in another order"


# --- rates -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Scale:
    """Rates of three tiers."""

    id: UUID
    component: UUID
    currency: str
    tiers: list[tuple[Decimal, Decimal]]


@dataclass(frozen=True)
class Credited:
    id: UUID
    scale: Scale
    before: Decimal
    amount: Decimal


async def _earn(
    database: Any, scales: Sequence[Scale], given: Sequence[Credited], draw: Random
) -> dict[UUID, dict[int, Decimal]]:
    asked = Asked()
    given = draw.sample(given, len(given))
    day, moment = date(2026, 1, 10), datetime(2026, 1, 10, tzinfo=UTC)
    rows = [
        (scale.id, above, high, tier, rate)
        for scale in scales
        for tier, ((above, rate), high) in enumerate(
            zip(scale.tiers, [x for x, _ in scale.tiers[1:]] + [Decimal("Infinity")], strict=True), 1
        )
    ]
    terms = [
        {"id": x.component, "kind": "commission", "applies_when": None, "formula": None, "cap": None,
         "tiering": "marginal"} for x in scales
    ]  # fmt: skip
    text = f"""
with components as (
  select k.*, 'commission' as kind, 'c' as code, 'amount' as measure, 'own' as via, true as tiered,
         'credited' as tiered_by, 'marginal' as tiering, null::numeric as rate, null::numeric as amount,
         null::numeric as threshold, null::numeric as cap, null::text as hold_until, null::text as formula,
         null::date as starts_on, null::date as ends_on, null::integer as clawback_days
  from unnest({asked.give([x.id for x in scales], "uuid[]")}, {asked.give([x.component for x in scales], "uuid[]")})
    as k(version_id, id)
),
tiers as (
  select t.version_id, 'c' as component, t.low as above, case t.tier when 1 then '-infinity' else t.low end as low,
         t.high, t.tier, t.rate
  from unnest(
    {asked.give([x[0] for x in rows], "uuid[]")}, {asked.give([x[1] for x in rows], "numeric[]")},
    {asked.give([x[2] for x in rows], "numeric[]")}, {asked.give([x[3] for x in rows], "integer[]")},
    {asked.give([x[4] for x in rows], "numeric[]")}
  ) as t(version_id, low, high, tier, rate)
),
{_minor(asked)},
assigned as (select distinct version_id as assignment_id, version_id, null::numeric as target from components),
positioned as (
  select p.*, p.id as opportunity_id, p.version_id as assignment_id, null::uuid as credited_rep_id, 'own' as via,
         p.amount as credit, 1::numeric as fx, 1::numeric as share, null::numeric as margin, before + amount as after,
         before + amount as credited, null::numeric as target, null::numeric as attainment,
         {asked.give(day, "date")} as closed_on, {asked.give(moment, "timestamptz")} as closed_at,
         null::timestamptz as reversed_at
  from unnest(
    {asked.give([x.id for x in given], "uuid[]")}, {asked.give([x.scale.id for x in given], "uuid[]")},
    {asked.give([x.scale.currency for x in given], "text[]")}, {asked.give([x.before for x in given], "numeric[]")},
    {asked.give([x.amount for x in given], "numeric[]")}
  ) as p(id, version_id, currency, before, amount)
),
{earnings.pieces(asked, terms)}
select opportunity_id, tier, amount_earned from pieces"""
    found: dict[UUID, dict[int, Decimal]] = defaultdict(dict)
    for deal, tier, amount in await _fetch(database, asked, text):
        found[deal][tier] = amount
    return found


def _scale(draw: Random) -> Scale:
    currency = draw.choice(list(DIGITS))
    bounds = [0, *sorted(draw.sample(range(1, 100_000), 3))]
    tiers = [(Decimal(x), Decimal(draw.randrange(1, 30_000_000)).scaleb(-8)) for x in bounds]
    id_, component = _ids(draw, 2)
    return Scale(id_, component, currency, tiers)


async def test_rates(database: Any) -> None:
    draw = Random(2)
    scales = [_scale(draw) for _ in range(300)]
    given = []
    for id_ in _ids(draw, CASES * 6 // 10):
        scale = draw.choice(scales)
        digits = DIGITS[scale.currency]
        before, amount = (
            Decimal(draw.randrange(-(10**4), 10**5)) + _fraction(draw, digits) for _ in range(2)
        )
        given.append(Credited(id_, scale, before, amount))
    found = await _earn(database, scales, given, draw)
    assert sum(map(len, found.values())) >= CASES
    for one in given:
        digits = DIGITS[one.scale.currency]
        unit, ran, parts = Fraction(1, 10**digits), Fraction(0), found.get(one.id, {})
        for tier, (above, rate) in enumerate(one.scale.tiers, 1):
            low = None if tier == 1 else Fraction(above)
            high = Fraction(one.scale.tiers[tier][0]) if tier < len(one.scale.tiers) else None
            after, before = (
                oracle.clamped(Fraction(x), low, high) for x in (one.before + one.amount, one.before)
            )
            exact = (after - before) * Fraction(rate)
            if tier not in parts:
                assert after == before
                continue
            ran += exact
            assert abs(Fraction(parts[tier]) - exact) <= unit
        assert sum(map(Fraction, parts.values())) == oracle.rounded(ran, digits)
    assert await _earn(database, scales, given, draw) == found, "in another order"


def _fraction(draw: Random, digits: int) -> Decimal:
    return Decimal(draw.randrange(10**digits)).scaleb(-digits)
