"""The nouns of what reps work on."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Date, Integer, Text, case, cast, func, literal_column, select
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.selectable import FromClause

from app.ground.database.tables import metadata
from app.language.query.binds import Binds, constant
from app.language.query.source import source
from app.language.resources import fields as f
from app.language.resources.convert import HOME
from app.language.resources.resource import Child, Listing, Resource, Weight, Worth
from app.sales.org import visibility
from app.sales.pipeline import deals, lines, list_prices, models, requirements
from app.sales.pipeline.actions import ACTIONS

# The sub-queries below name what they correlate with: left to itself SQLAlchemy looks one level up only, and a record's
# JSON is written further down, where the deal would silently become a second scan of the whole table.


def _now(binds: Binds) -> ColumnElement[Any]:
    return binds.moment if binds.as_of else func.now()


def _days_in_stage(deal: FromClause, binds: Binds) -> ColumnElement[Any]:
    elapsed = func.extract("epoch", _now(binds) - deal.c.stage_entered_at) / literal_column("86400")
    # now() is when the transaction began: just before a stage that was entered in it.
    days = func.greatest(cast(func.floor(elapsed), Integer), 0, type_=Integer)
    return case((deal.c.category == constant("open"), days))


def _priced_on(deal: FromClause, binds: Binds) -> ColumnElement[Any]:
    """The day whose rate counts: on which it closed, else today (or of `as_of`)."""
    return cast(
        func.timezone(binds.named("zone", Text()), func.coalesce(deal.c.closed_at, _now(binds))), Date
    )


def _amount_home(deal: FromClause, binds: Binds) -> ColumnElement[Any]:
    """Null where no rate is known yet."""
    home = binds.named("home", Text())
    rates = source(metadata.tables["exchange_rates"], binds, "rate")
    rate = (
        select(rates.c.rate)
        .where(
            rates.c.tenant_id == binds.tenant,
            rates.c.from_currency == deal.c.currency,
            rates.c.to_currency == home,
            rates.c.on_day <= _priced_on(deal, binds),
            rates.c.deleted_at.is_(None),
        )
        .order_by(rates.c.on_day.desc())
        .limit(1)
        .correlate(deal)
        .scalar_subquery()
    )
    return case((deal.c.currency == home, deal.c.amount), else_=cast(deal.c.amount * rate, HOME))


def _chance(deal: FromClause, binds: Binds) -> ColumnElement[Any]:
    """Of winning it: the deal's own, else its stage's; a deal that has ended is sure."""
    stage = source(metadata.tables["stages"], binds, "weight")
    usual = (
        select(stage.c.probability)
        .where(stage.c.tenant_id == binds.tenant, stage.c.id == deal.c.stage_id)
        .correlate(deal)
        .scalar_subquery()
    )
    return case(
        (deal.c.category == constant("won"), 1),
        (deal.c.category != constant("open"), 0),
        else_=func.coalesce(deal.c.probability, usual),
    )


def _activity_edge(column: str, newest: bool) -> f.Expression:
    """Stored with the deal and kept by the write path of activities; of a past moment, read from their history."""

    def expression(deal: FromClause, binds: Binds) -> ColumnElement[Any]:
        if not binds.as_of:
            return deal.c[column]
        activity = source(metadata.tables["activities"], binds, "activity")
        edge = func.max(activity.c.occurred_at) if newest else func.min(activity.c.due_at)
        done = activity.c.done.is_(True) if newest else activity.c.done.is_(False)
        return (
            select(edge)
            .where(activity.c.tenant_id == binds.tenant, activity.c.opportunity_id == deal.c.id, done)
            .correlate(deal)
            .scalar_subquery()
        )

    return expression


pipelines = Resource(
    name="pipeline",
    plural="pipelines",
    title="Pipeline",
    description="A way of selling, with its own stages.",
    table=models.pipelines,
    history=models.pipelines_history,
    fields=(
        f.text("name", "Name.", "New business", required=True),
        f.choice("sales_model", "The model of selling that it follows.", models.SALES_MODELS, default="b2b"),
        f.flag("is_default", "Whether deals without a stage start here.", default=False),
    ),
    listings=(Listing(name="stages", target="stages", via="pipeline_id", description="Its stages."),),
    default_sort=("name",),
    unique=(("is_default",),),
)

stages = Resource(
    name="stage",
    plural="stages",
    title="Stage",
    description="A step of a pipeline. Its category, never its name, says whether a deal is open, won or lost.",
    table=models.stages,
    history=models.stages_history,
    fields=(
        f.reference("pipeline_id", "pipelines", "The pipeline.", required=True, write="create"),
        f.text("name", "Name.", "Proposal", required=True),
        f.integer("position", "Order in the pipeline, from the left.", 3, default=0),
        f.choice(
            "category", "What being in this stage means; fixed once made.", models.CATEGORIES, default="open",
            write="create",
        ),
        f.ratio("probability", "Chance of winning from here, where the deal has none of its own.", 0.4),
        f.choice("forecast_category", "Where its deals stand in a forecast.", models.FORECAST_CATEGORIES),
        f.integer("stalled_after_days", "Days after which a deal here counts as stalled.", 30, minimum=0),
        f.json_list(
            "required_fields", "Fields and lists of the deal that must be filled to enter; not asked of a backfill.",
            ["amount", "expected_close_on"],
            default=[],
        ),
    ),
    default_sort=("pipeline_id", "position"),
    check=requirements.check_names,
)  # fmt: skip

line_items = Child(
    name="line_items",
    singular="line_item",
    table=models.opportunity_line_items,
    history=models.opportunity_line_items_history,
    parent="opportunity_id",
    description="What is sold, line by line.",
    key=("position",),
    complete=lines.complete_line,
    refine=list_prices.refine,
    fields=(
        f.reference("product_id", "products", "The product."),
        f.text(
            "external_id",
            "The line's id at the source; a line keeps its id and history by it.",
            "00k5e000001",
        ),
        f.integer("position", "Order in the deal, from 0.", 0, minimum=0),
        f.text("description", "What the line is for.", "Three years of support", max_length=1000),
        f.number("quantity", "How many; at most four decimals.", 2, default=1),
        f.money("list_price", "List price of one unit; that of the deal's price book when left out.", 600),
        f.money(
            "unit_price", "Price of one unit; a book's list price when this and the amount are left out.", 527
        ),
        f.money("amount", "The line's amount; quantity times unit price when left out.", 1054),
        f.flag(
            "below_floor",
            "Whether it was priced below the price book's floor when it was written.",
            default=False,
            write="never",
        ),
    ),
)

splits = Child(
    name="splits",
    singular="split",
    table=models.opportunity_splits,
    history=models.opportunity_splits_history,
    parent="opportunity_id",
    description="Who is credited for which share. Revenue shares sum to 1; overlay is credit beside it.",
    key=("rep_id", "kind"),
    complete=lines.complete_split,
    check=lines.check_splits,
    fields=(
        f.reference("rep_id", "reps", "The rep who is credited.", required=True),
        f.choice("kind", "Revenue, or overlay beside it.", ("revenue", "overlay"), default="revenue"),
        f.ratio("share", "Share of the deal: 0.5 is half; at most six decimals.", 0.5, required=True),
    ),
)

team = Child(
    name="team",
    singular="team_member",
    table=models.opportunity_team,
    history=models.opportunity_team_history,
    parent="opportunity_id",
    description="Who works on the deal beside its owner; they see it.",
    key=("rep_id",),
    fields=(
        f.reference("rep_id", "reps", "The rep.", required=True),
        f.text("role", "What the rep does on the deal.", "Sales engineer", max_length=120),
    ),
)

contact_roles = Child(
    name="contact_roles",
    singular="contact_role",
    table=models.opportunity_contact_roles,
    history=models.opportunity_contact_roles_history,
    parent="opportunity_id",
    description="Who of the customer's people has a part in the deal; one of them may be the primary contact.",
    key=("contact_id", "role"),
    check=lines.check_contact_roles,
    fields=(
        f.reference("contact_id", "contacts", "The contact.", required=True),
        f.picklist("role", "The part that this person has.", "decision_maker"),
        f.flag("is_primary", "Whether this is the contact to turn to.", default=False),
    ),
)

opportunities = Resource(
    name="opportunity",
    plural="opportunities",
    title="Opportunity",
    description=(
        "A deal, from its opening to its close. Seen by its owner, split holders, team members and everyone above "
        "them. Every change is kept: ask for any past moment with `as_of`."
    ),
    table=models.opportunities,
    history=models.opportunities_history,
    search=("name",),
    fields=(
        f.text("name", "Name.", "Isdom, 2 x GTX Pro", required=True),
        f.reference("account_id", "accounts", "The account.", shows=True),
        f.reference("owner_id", "reps", "The rep who owns it."),
        f.reference("pipeline_id", "pipelines", "The pipeline; follows the stage."),
        f.reference(
            "stage_id", "stages", "The stage; the first open one of the pipeline when left out.",
            board=("pipeline_id", "category"),
        ),
        f.choice(
            "category", "What the stage means: open, won, lost or abandoned.", models.CATEGORIES, write="never"
        ),
        f.money("amount", "Total contract value in `currency`.", 4514),
        f.text("currency", "ISO 4217 code; the home currency when left out.", "USD", max_length=3, currency=True),
        f.money(
            "amount_home", "The amount in the home currency, at the dated rate; null when unpriced.", 4514,
            write="never", expression=_amount_home,
        ),
        f.integer(
            "term_months", "How many months the contract runs; null where it has no term or nobody knows it.", 36,
            minimum=1,
        ),
        f.choice("type", "What kind of business.", ("new_business", "expansion", "renewal")),
        f.picklist("sales_channel", "How it is sold.", "direct"),
        f.picklist("lead_source", "Where it came from.", "referral"),
        f.reference("campaign_id", "campaigns", "The campaign that brought it."),
        f.reference("price_book_id", "price_books", "What its line items are priced by; the default when null."),
        f.moment(
            "opened_at",
            "When it was opened. Left out of a create it is now; left out of an upsert it stays unknown.",
            "2026-01-12T09:00:00Z",
        ),
        f.day("expected_close_on", "The day on which it should close.", "2026-03-31"),
        f.moment("closed_at", "When it was won, lost or abandoned; null while open.", "2026-03-27T15:20:00Z"),
        f.ratio("probability", "Chance of winning, where it differs from the stage's.", 0.6),
        f.choice("forecast_category", "Where it stands in a forecast, where it differs from the stage's.",
                 models.FORECAST_CATEGORIES),
        f.picklist("loss_reason", "Why it was lost.", "price"),
        f.picklist("competitor", "Whom it was lost to, or is contested by.", "Globex"),
        f.text("next_step", "What happens next.", "Send the revised quote", max_length=2000),
        f.reference(
            "credited_owner_id", "reps", "The owner at the close, who keeps the credit; null while open.",
            write="never",
        ),
        f.day("booked_on", "When the order was booked; pay may wait for it.", "2026-03-30"),
        f.day("paid_on", "When the customer paid; pay may wait for it.", "2026-04-29"),
        f.moment("stage_entered_at", "When it entered its stage.", "2026-02-20T11:05:00Z", write="never"),
        f.integer("days_in_stage", "Whole days in the stage; null once closed.", 12, write="never",
                  expression=_days_in_stage),
        f.integer("push_count", "How often the expected close was put off.", 1, write="never"),
        f.moment("last_activity_at", "The latest activity that was done.", "2026-03-02T10:00:00Z", write="never",
                 expression=_activity_edge("last_activity_at", newest=True)),
        f.moment("next_activity_at", "When the next open activity is due.", "2026-03-05T09:00:00Z", write="never",
                 expression=_activity_edge("next_activity_at", newest=False)),
    ),
    worth=Worth(
        amount="amount",
        currency="currency",
        day=_priced_on,
        sums={
            "amount_home": None,
            "weighted_home": Weight(over=("category", "probability", "stage_id"), value=_chance),
        },
    ),
    timeline=("activities",),
    visible=visibility.opportunities,
    standing=visibility.standing,
    children=(line_items, splits, team, contact_roles),
    listings=(
        Listing(name="activities", target="activities", via="opportunity_id", description="What was done on it."),
    ),
    actions=ACTIONS,
    lookups={"stages": deals.STAGES},
    rests_on=("pipelines", "stages"),
    prepare=deals.prepare,
    infer=deals.infer,
    advance=deals.advance,
    since=deals.since,
    check=deals.check,
    check_by_row=True,
    event_types=deals.event_types,
)  # fmt: skip

RESOURCES = (pipelines, stages, opportunities)
