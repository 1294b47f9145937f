"""The nouns of how business begins."""

from __future__ import annotations

from app.language.resources import fields as f
from app.language.resources.batch import Batch
from app.language.resources.resource import Follows, Listing, Resource
from app.sales.org import visibility
from app.sales.prospecting import models, progress, rules
from app.sales.prospecting.actions import ACTIONS

campaigns = Resource(
    name="campaign",
    plural="campaigns",
    title="Campaign",
    description="An effort to win attention, with what it may cost. Everyone sees it; its members as persons are seen.",
    table=models.campaigns,
    history=models.campaigns_history,
    search=("name",),
    fields=(
        f.text("name", "Name.", "Autumn fair", required=True),
        f.picklist("channel", "By which way it reaches people.", "event"),
        f.choice("status", "How far it is.", models.CAMPAIGN_STATES, default="planned"),
        f.day("starts_on", "First day.", "2026-09-01"),
        f.day("ends_on", "First day on which it is over.", "2026-10-01"),
        f.money("budget", "What it may cost.", 12000),
        f.money("actual_cost", "What it did cost so far.", 11350),
        f.text("currency", "ISO 4217 code; the home currency when left out.", "USD", max_length=3, currency=True),
    ),
    listings=(
        Listing(name="members", target="campaign_members", via="campaign_id", description="Whom it addresses."),
        Listing(name="touches", target="touches", via="campaign_id", description="Whom it reached, and when."),
        Listing(name="leads", target="leads", via="campaign_id", description="Leads that it brought."),
        Listing(name="opportunities", target="opportunities", via="campaign_id", description="Deals that it brought."),
    ),
    default_sort=("-starts_on",),
)  # fmt: skip

lead_queues = Resource(
    name="lead_queue",
    plural="lead_queues",
    title="Lead queue",
    description="Where leads wait for somebody to take them.",
    table=models.lead_queues,
    history=models.lead_queues_history,
    fields=(
        f.text("name", "Name.", "Inbound Europe", required=True),
        f.text("description", "Which leads belong here.", "Web forms from Europe", max_length=1000),
    ),
    listings=(Listing(name="leads", target="leads", via="queue_id", description="Leads that wait in it."),),
    default_sort=("name",),
)

scoring_rules = Resource(
    name="scoring_rule",
    plural="scoring_rules",
    title="Scoring rule",
    description="Points for every lead whose field compares so. A lead's score is the sum over the active rules.",
    table=models.scoring_rules,
    history=models.scoring_rules_history,
    fields=(
        f.text("name", "What it rewards.", "Large company", required=True),
        f.text("field", "The lead's field.", "employees", required=True, max_length=60),
        f.choice(
            "operator", "How it compares, as in filters; texts as they are, `contains` in any case.",
            models.OPERATORS, required=True, example="gte",
        ),
        f.text("value", "What it compares with; `is_null` takes `true` or `false`.", "500", required=True),
        f.integer("points", "Points where it holds.", 20, required=True, minimum=-1000, maximum=1000),
        f.flag("active", "Whether it counts.", default=True),
    ),
    default_sort=("name",),
    check=rules.check,
    settled=rules.rescore,
)  # fmt: skip

leads = Resource(
    name="lead",
    plural="leads",
    title="Lead",
    description=(
        "Somebody who may become a customer, from the first sign to conversion. Seen by its owner and those above; in "
        "a queue by the roles that the tenant lets see what nobody owns."
    ),
    table=models.leads,
    history=models.leads_history,
    search=("name", "company", "email"),
    fields=(
        f.text("name", "Full name.", "Visitor of the autumn fair", required=True),
        f.text("company", "Where this person works.", "Isdom"),
        f.text("title", "Job title.", "Head of Procurement", max_length=120),
        f.text("email", "E-mail.", "procurement@example.com"),
        f.text("phone", "Telephone.", "+1 555 0100", max_length=60),
        f.text("country", "Country.", "Germany", max_length=80),
        f.picklist("industry", "Industry.", "retail"),
        f.integer("employees", "Number of the company's employees.", 2448, minimum=0),
        f.picklist("lead_source", "Where it came from.", "website"),
        f.reference("campaign_id", "campaigns", "The campaign that brought it."),
        f.picklist(
            "status",
            "How far it is. `qualified`, `disqualified` and `converted` have moments of their own, which count.",
            "working", default="new",
        ),
        f.reference("owner_id", "reps", "The rep who pursues it; takes it out of its queue."),
        f.reference("queue_id", "lead_queues", "The queue in which it waits; takes it from its owner."),
        f.moment(
            "received_at", "When it came in. Left out of a create it is now; left out of an upsert it stays unknown.",
            "2026-01-12T09:00:00Z",
        ),
        f.moment(
            "first_response_at", "When it was first answered: the first outgoing call, e-mail or meeting since it came "
            "in sets it.", "2026-01-12T09:20:00Z",
        ),
        f.moment("qualified_at", "When it was first found worth pursuing.", "2026-01-14T10:00:00Z"),
        f.moment("disqualified_at", "When it was found not to be.", "2026-01-20T10:00:00Z"),
        f.picklist("disqualified_reason", "Why not.", "no_budget"),
        f.moment("converted_at", "When it was converted: by :convert, or told by a sync.", "2026-02-02T08:30:00Z"),
        f.reference("converted_account_id", "accounts", "The account that it became."),
        f.reference("converted_contact_id", "contacts", "The contact that it became."),
        f.reference("converted_opportunity_id", "opportunities", "The deal that it became."),
        f.integer("score", "The sum of the scoring rules; null where there are none.", 35, write="never"),
    ),
    timeline=("activities", "touches", "memberships"),
    visible=visibility.leads,
    standing=visibility.standing,
    listings=(
        Listing(name="activities", target="activities", via="lead_id", description="What was done with it."),
        Listing(name="touches", target="touches", via="lead_id", description="What reached it."),
        Listing(name="memberships", target="campaign_members", via="lead_id", description="Its campaigns."),
    ),
    actions=ACTIONS,
    default_sort=("-received_at",),
    lookups=progress.LOOKUPS,
    prepare=progress.prepare,
    infer=progress.infer,
    advance=progress.advance,
    check=progress.check,
    check_by_row=True,
    event_types=progress.event_types,
)  # fmt: skip

_PERSON = (
    f.reference("lead_id", "leads", "The lead; or the contact."),
    f.reference("contact_id", "contacts", "The contact; or the lead."),
)


_FOLLOWS = (
    Follows(noun="leads", via="lead_id", when=("owner_id",)),
    Follows(noun="contacts", via="contact_id", when=("owner_id", "account_id")),
)


async def _one_person(batch: Batch) -> None:
    for draft in batch.standing:
        if (draft.after["lead_id"] is None) == (draft.after["contact_id"] is None):
            draft.refuse("lead_id", "one_person", "Name one person: a lead or a contact.")


campaign_members = Resource(
    name="campaign_member",
    plural="campaign_members",
    title="Campaign member",
    description="A lead or contact that a campaign addresses, and whether it answered. Seen as that person is.",
    table=models.campaign_members,
    history=models.campaign_members_history,
    fields=(
        f.reference("campaign_id", "campaigns", "The campaign.", required=True, write="create"),
        *_PERSON,
        f.picklist("status", "How this person stands to the campaign.", "attended"),
        f.moment("joined_at", "When the person became a member.", "2026-09-01T08:00:00Z"),
        f.moment("responded_at", "When the person first answered.", "2026-09-03T14:10:00Z"),
    ),
    label="status",
    happens=("joined_at", "created_at"),
    visible=visibility.persons,
    standing=visibility.standing,
    follows=_FOLLOWS,
    check=_one_person,
    unique=(("campaign_id", "lead_id"), ("campaign_id", "contact_id")),
)

touches = Resource(
    name="touch",
    plural="touches",
    title="Touch",
    description="A moment at which something of ours reached a lead or contact. Seen as that person is.",
    table=models.touches,
    history=models.touches_history,
    fields=(
        f.reference("campaign_id", "campaigns", "The campaign behind it, if any."),
        *_PERSON,
        f.picklist("kind", "What happened.", "form_filled", required=True),
        f.text("detail", "What it was about: a page, a form, a stand.", "/pricing", max_length=500),
        f.moment("occurred_at", "When.", "2026-09-03T14:10:00Z", required=True),
    ),
    label="kind",
    happens=("occurred_at",),
    visible=visibility.persons,
    standing=visibility.standing,
    follows=_FOLLOWS,
    default_sort=("-occurred_at",),
    check=_one_person,
)

RESOURCES = (campaigns, lead_queues, scoring_rules, leads, campaign_members, touches)
