"""The noun of what reps do."""

from app.language.resources import fields as f
from app.language.resources.batch import Batch
from app.language.resources.resource import Follows, Resource
from app.sales.activities import models
from app.sales.activities.edges import refresh_deals
from app.sales.activities.responses import note_responses
from app.sales.org import visibility


async def settled(batch: Batch) -> None:
    await refresh_deals(batch)
    await note_responses(batch)


activities = Resource(
    name="activity",
    plural="activities",
    title="Activity",
    description=(
        "A call, e-mail, meeting, task or note. Seen as the deal, else the account, contact or lead that it is about."
    ),
    table=models.activities,
    history=models.activities_history,
    fields=(
        f.choice("kind", "What it is.", models.KINDS, required=True),
        f.choice("purpose", "What the time was for.", models.PURPOSES, default="selling"),
        f.text("subject", "Subject.", "Demo for procurement"),
        f.text("body", "Text.", "They want three references.", max_length=20_000),
        f.choice("direction", "Of a call or e-mail.", ("inbound", "outbound")),
        f.integer("duration_seconds", "How long it took.", 1800, minimum=0),
        f.picklist("outcome", "What came of it.", "connected"),
        f.moment("occurred_at", "When it took place.", "2026-03-02T10:00:00Z"),
        f.moment("due_at", "When it is due.", "2026-03-05T09:00:00Z"),
        f.flag("done", "Whether it is done; an open one is planned.", default=True),
        f.reference("owner_id", "reps", "The rep who does it."),
        f.reference("opportunity_id", "opportunities", "The deal it is about."),
        f.reference("account_id", "accounts", "The account it is about."),
        f.reference("contact_id", "contacts", "The person it was done with."),
        f.reference("lead_id", "leads", "The lead it was done with."),
    ),
    label="subject",
    visible=visibility.activities,
    standing=visibility.standing,
    follows=(
        Follows(noun="opportunities", via="opportunity_id", when=visibility.OF_A_DEAL),
        Follows(noun="accounts", via="account_id", when=("owner_id",)),
        Follows(noun="contacts", via="contact_id", when=("owner_id", "account_id")),
        Follows(noun="leads", via="lead_id", when=("owner_id",)),
    ),
    default_sort=("-occurred_at",),
    happens=("occurred_at", "due_at", "created_at"),
    settled=settled,
)

RESOURCES = (activities,)
