"""The nouns of what reps earn."""

from app.language.resources import fields as f
from app.language.resources.resource import Child, Follows, Listing, Resource
from app.sales.incentives import actions, models, periods, plans
from app.sales.org import visibility

_READ_ONLY = frozenset({"list", "get"})

comp_plans = Resource(
    name="comp_plan",
    plural="comp_plans",
    title="Compensation plan",
    description="What a group of reps is paid for, in which currency. Its terms are its versions.",
    table=models.comp_plans,
    history=models.comp_plans_history,
    fields=(
        f.text("name", "Name.", "Account executives 2026", required=True),
        f.text("description", "Who is paid by it, and for what.", "New business, by quarter.", max_length=2000),
        f.text("currency", "ISO 4217 code in which it pays; the home currency when left out.", "USD", max_length=3,
               currency=True, write="create"),
    ),
    listings=(
        Listing(name="versions", target="comp_plan_versions", via="plan_id", description="Its terms, since when."),
        Listing(name="assignments", target="plan_assignments", via="plan_id", description="Who is paid by it."),
    ),
    visible=visibility.comp_plans,
    standing=visibility.standing,
    follows=(Follows(noun="plan_assignments", via="plan_id", when=("plan_id", "rep_id"), backwards=True),),
    default_sort=("name",),
    search=("name",),
    check=plans.check_plans,
)  # fmt: skip

components = Child(
    name="components",
    singular="component",
    table=models.comp_plan_components,
    history=models.comp_plan_components_history,
    parent="version_id",
    description="What is paid for, each by itself.",
    key=("code",),
    fields=(
        f.text("code", "What it is called on a statement's line.", "new_business", required=True, max_length=60),
        f.choice("kind", "`commission` and `spiff` pay own credits, `overlay` overlay splits, `override` the credits "
                 "of everyone below; a `bonus` is paid once a period, a `draw` is what a period pays at least.",
                 models.KINDS, required=True),
        f.choice("measure", "What of a credit is paid: its amount, its margin, or each deal alike.", models.MEASURES,
                 default="amount"),
        f.text("applies_when", "A formula that is true of the credits it pays; of a bonus, when it is earned.",
               "type = 'new_business' and amount >= 1000", max_length=2000),
        f.number("rate", "A share of the measure; or `formula`, `amount` or tiers.", 0.1),
        f.text("formula", "A formula that gives the money of one credit; of a bonus, its money.",
               "if(attainment >= 1, amount * 0.1 * min(attainment, 1.5), amount * 0.07)", max_length=2000),
        f.money("amount", "What a spiff pays for each deal, weighed by the split; a bonus or a draw a period.", 500),
        f.choice("tiered_by", "What the tiers' bounds are compared with: attainment, or the amount credited.",
                 models.TIERED_BY),
        f.choice("tiering", "`marginal`: each part of the credits at the rate of its own tier. `retroactive`: all of "
                 "them at the rate of the tier that was reached.", models.TIERINGS),
        f.number("threshold", "The attainment below which nothing is paid.", 0.5, minimum=0.0),
        f.money("cap", "What it pays at most in a period.", 50_000),
        f.day("starts_on", "First day of closes that count; null for no bound.", "2026-02-01"),
        f.day("ends_on", "First day after them; null for no bound.", "2026-03-01"),
        f.choice("hold_until", "Earned at the close, payable once the deal is booked or paid.", models.HOLDS),
        f.integer("clawback_days", "A reversal takes back what was earned within so many days of the close; null for "
                  "whenever.", 60, minimum=0, maximum=3660),
        f.flag("recoverable", "Whether a draw is taken back from what later periods earn above it.", default=True),
    ),
)  # fmt: skip

tiers = Child(
    name="tiers",
    singular="tier",
    table=models.comp_plan_tiers,
    history=models.comp_plan_tiers_history,
    parent="version_id",
    description="Rates by how far somebody has come. The first tier of a component begins at 0.",
    key=("component", "above"),
    fields=(
        f.text("component", "The component's code.", "new_business", required=True, max_length=60),
        f.number("above", "Attainment (1 is all of the target) or amount from which on it holds.", 1, required=True,
                 minimum=0.0),
        f.number("rate", "A share of the measure.", 0.12, required=True),
    ),
)  # fmt: skip

comp_plan_versions = Resource(
    name="comp_plan_version",
    plural="comp_plan_versions",
    title="Plan version",
    description=(
        "The terms of a plan from a day on. A period is paid by the version in force on the first day on which "
        "somebody is assigned in it. Once published it never changes: other terms are another version."
    ),
    table=models.comp_plan_versions,
    history=models.comp_plan_versions_history,
    past_is_told=False,
    fields=(
        f.reference("plan_id", "comp_plans", "Whose terms.", required=True, write="create", relation="plan"),
        f.day("effective_from", "First day.", "2026-01-01", required=True),
        f.choice("state", "Only what is published pays.", models.VERSION_STATES, default="draft", write="never",
                 example="published"),
        f.moment("published_at", "When it was published; null for a draft.", write="never"),
        f.text("note", "What is new in it.", "Accelerator above 100 %.", max_length=2000),
    ),
    label="effective_from",
    visible=visibility.comp_plan_versions,
    standing=visibility.standing,
    follows=(Follows(noun="plan_assignments", via="plan_id", when=("plan_id", "rep_id"), backwards=True),),
    children=(components, tiers),
    actions=actions.OF_VERSIONS,
    default_sort=("-effective_from",),
    check=plans.check,
)  # fmt: skip

plan_assignments = Resource(
    name="plan_assignment",
    plural="plan_assignments",
    title="Plan assignment",
    description="Who is paid by which plan, from when to when, and against which target.",
    table=models.plan_assignments,
    history=models.plan_assignments_history,
    fields=(
        f.reference("plan_id", "comp_plans", "The plan.", required=True, write="create", relation="plan"),
        f.reference("rep_id", "reps", "Who is paid.", required=True, write="create"),
        f.day("starts_on", "First day.", "2026-01-01", required=True),
        f.day("ends_on", "First day after the last one; null for no end.", "2027-01-01"),
        f.money("target", "What a whole period's attainment is measured by, in the plan's currency; the rep's "
                "effective quota when left out.", 250_000),
        f.money("on_target_earnings", "What a year with full attainment earns, base pay included, in the plan's "
                "currency.", 120_000),
        f.ratio("variable_share", "The part of it that hangs on performance.", 0.4),
    ),
    label="starts_on",
    visible=visibility.pay,
    standing=visibility.standing,
    default_sort=("-starts_on",),
    check=plans.check_assignments,
)  # fmt: skip

comp_periods = Resource(
    name="comp_period",
    plural="comp_periods",
    title="Pay period",
    description=(
        "What is paid at once, say a quarter. It is calculated as often as one likes, approved, and closed; a change "
        "that comes later becomes an adjustment in a period that is still open."
    ),
    table=models.comp_periods,
    history=models.comp_periods_history,
    past_is_told=False,
    fields=(
        f.text("period", "`2026`, `2026-Q1`, `2026-03`, `FY2026` or `FY2026-Q1`.", "2026-Q1", required=True,
               max_length=20, write="create"),
        f.day("starts_on", "First day.", "2026-01-01", write="never"),
        f.day("ends_on", "First day after the last one.", "2026-04-01", write="never"),
        f.choice("state", "How far it is.", models.PERIOD_STATES, default="open", write="never"),
        f.json_list("left_out", "How many deals won in it earn nobody anything, by reason: `before_pay_starts`, "
                    "`backfill` (paid elsewhere), `no_owner`, `no_plan` (of nobody who is assigned to one). As of "
                    "the last calculation of everybody.", {"no_plan": 3}, write="never"),
        f.moment("calculated_at", "When it was last calculated.", write="never"),
        f.moment("approved_at", "When it was approved.", write="never"),
        f.moment("closed_at", "When it was closed.", write="never"),
        f.text("note", "What is particular about it.", "Paid with the salaries of April.", max_length=2000),
    ),
    label="period",
    actions=actions.OF_PERIODS,
    default_sort=("-starts_on",),
    prepare=periods.prepare,
    check=periods.check,
)  # fmt: skip

_REP = f.reference("rep_id", "reps", "Whose pay.", write="never")
_PERIOD = f.reference(
    "period_id", "comp_periods", "In which period it is paid.", write="never", relation="period"
)
_CURRENCY = f.text(
    "currency", "ISO 4217 code of the amounts.", "USD", max_length=3, currency=True, write="never"
)

statements = Resource(
    name="statement",
    plural="statements",
    title="Pay statement",
    description="What a period pays a rep in a currency, with the lines that it is the sum of.",
    table=models.statements,
    history=None,
    fields=(
        _PERIOD,
        _REP,
        _CURRENCY,
        f.choice("state", "How far it is.", models.STATEMENT_STATES, default="draft", write="never"),
        f.money("earned", "Earned in the period itself.", 12_345.67, write="never"),
        f.money("adjusted", "Adjustments and clawbacks of closed periods.", -250, write="never"),
        f.money("drawn", "Draws, less what of earlier ones is taken back.", 0, write="never"),
        f.money("held", "What of these waits until its deals are booked or paid.", 500, write="never"),
        f.money("total", "Payable: earned, adjusted and drawn, less held.", 11_595.67, write="never"),
        f.text("dispute", "What the rep says is wrong.", "The split on the renewal is missing.", max_length=2000,
               write="never"),
        f.text("resolution", "What became of it.", "Split added, recalculated.", max_length=2000, write="never"),
        f.moment("approved_at", "When it was approved.", write="never"),
        f.reference("approved_by_id", "reps", "Who did; null where it is no rep.", relation="approved_by",
                    write="never"),
    ),
    label="state",
    visible=visibility.pay,
    standing=visibility.standing,
    listings=(Listing(name="lines", target="statement_lines", via="statement_id", description="What it adds up."),),
    actions=actions.OF_STATEMENTS,
    operations=_READ_ONLY,
    default_sort=("-created_at",),
)  # fmt: skip

statement_lines = Resource(
    name="statement_line",
    plural="statement_lines",
    title="Statement line",
    description=(
        "What one component pays for one deal in one tier, with all that its amount is made of in `trace`. Its amount "
        "is the sum of its ledger entries."
    ),
    table=models.statement_lines,
    history=None,
    fields=(
        f.reference("statement_id", "statements", "The statement.", write="never"),
        _PERIOD,
        f.reference("earned_period_id", "comp_periods", "In which period it was earned; another one than it is paid in "
                    "for an adjustment.", write="never", relation="earned_period"),
        _REP,
        f.reference("assignment_id", "plan_assignments", "By which assignment.", write="never", relation="assignment"),
        f.reference("version_id", "comp_plan_versions", "By which terms.", write="never", relation="plan_version"),
        f.text("component", "The component's code.", "new_business", write="never"),
        f.choice("kind", "The component's kind.", models.KINDS, write="never"),
        f.choice("posting", "What it is in the ledger.", models.POSTINGS, write="never"),
        f.reference("opportunity_id", "opportunities", "For which deal; null for a bonus or a draw.", write="never"),
        f.reference("credited_rep_id", "reps", "Of an override: whose credit it is.", write="never",
                    relation="credited_rep"),
        f.integer("tier", "Which tier, from 1; 0 without tiers.", 1, write="never"),
        f.choice("account", "`payable`, or `held` until the deal is booked or paid.", models.ACCOUNTS, write="never"),
        f.day("on_day", "The day of the close; of an adjustment the first of the period that pays it.", write="never"),
        _CURRENCY,
        f.money("amount", "What it pays.", 1_234.56, write="never"),
        f.text("reason", "Why it pays nothing, where it does: `no_amount`, `missing_fx`, `no_cost`, `no_quota`, "
               "`below_threshold`, `undefined` or `too_large` (its formula), `capped`, `no_longer_credited`.",
               "below_threshold", write="never"),
        f.json_object("trace", "Each figure that the amount is made of.",
                      {"credited": 12_345, "share": 1, "digits": 2}, write="never"),
    ),
    label="component",
    visible=visibility.pay,
    standing=visibility.standing,
    operations=_READ_ONLY,
    default_sort=("on_day",),
)  # fmt: skip

ledger_entries = Resource(
    name="ledger_entry",
    plural="ledger_entries",
    title="Ledger entry",
    description=(
        "One posting of an amount from an account to another. Nothing that is posted ever changes: what turns out "
        "otherwise is another entry."
    ),
    table=models.ledger_entries,
    history=None,
    fields=(
        f.choice("kind", "What it is.", models.ENTRY_KINDS, write="never"),
        _PERIOD,
        f.reference("earned_period_id", "comp_periods", "In which period it was earned.", write="never",
                    relation="earned_period"),
        _REP,
        f.reference("statement_id", "statements", "On whose statement it stands.", write="never"),
        f.reference("line_id", "statement_lines", "On which line; null for a payment.", write="never",
                    relation="line"),
        f.reference("payout_id", "payouts", "Which payout it is; null for what is no payment.", write="never",
                    relation="payout"),
        f.reference("opportunity_id", "opportunities", "For which deal.", write="never"),
        f.reference("adjusts_id", "ledger_entries", "The first entry of what it adjusts.", write="never",
                    relation="adjusts"),
        f.choice("debit", "The account that it is taken from.", models.LEDGER_ACCOUNTS, write="never"),
        f.choice("credit", "The account that it goes to.", models.LEDGER_ACCOUNTS, write="never", example="payable"),
        f.day("on_day", "The day that it counts for.", write="never"),
        _CURRENCY,
        f.money("amount", "Below 0 where it takes back.", 1_234.56, write="never"),
    ),
    label="kind",
    visible=visibility.pay,
    standing=visibility.standing,
    operations=_READ_ONLY,
    default_sort=("-created_at",),
)  # fmt: skip

payouts = Resource(
    name="payout",
    plural="payouts",
    title="Payout",
    description="What a closed period leaves to be paid to a rep. As CSV this is what payroll takes.",
    table=models.payouts,
    history=None,
    fields=(
        _PERIOD,
        _REP,
        f.reference("statement_id", "statements", "For which statement.", write="never"),
        _CURRENCY,
        f.money("amount", "What is paid: the balance of the rep's account.", 11_595.67, write="never"),
        f.choice("state", "`void` where its period was opened again before it was paid.", models.PAYOUT_STATES,
                 write="never"),
        f.day("paid_on", "When it was paid; null before.", "2026-04-25", write="never"),
    ),
    label="state",
    visible=visibility.pay,
    standing=visibility.standing,
    actions=actions.OF_PAYOUTS,
    operations=_READ_ONLY,
    default_sort=("-created_at",),
)  # fmt: skip

RESOURCES = (
    comp_plans,
    comp_plan_versions,
    plan_assignments,
    comp_periods,
    statements,
    statement_lines,
    ledger_entries,
    payouts,
)
