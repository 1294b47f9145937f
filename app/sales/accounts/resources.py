"""The nouns of whom we sell to."""

from app.language.resources import fields as f
from app.language.resources import merge
from app.language.resources.resource import Follows, Listing, Resource
from app.sales.accounts import models
from app.sales.org import visibility

accounts = Resource(
    name="account",
    plural="accounts",
    title="Account",
    description="A company we sell to. Seen by its owner, those above, and everyone who sees one of its deals.",
    table=models.accounts,
    history=models.accounts_history,
    search=("name",),
    fields=(
        f.text("name", "Name.", "Isdom", required=True),
        f.reference("parent_id", "accounts", "The company that owns this one."),
        f.reference("owner_id", "reps", "The rep who looks after it."),
        f.reference("territory_id", "territories", "The territory that it belongs to."),
        f.picklist("industry", "Industry.", "retail"),
        f.picklist("segment", "Market segment.", "enterprise"),
        f.integer("employees", "Number of employees.", 2448, minimum=0),
        f.text("country", "Country.", "Germany", max_length=80),
        f.text("website", "Website.", "https://example.com"),
        *merge.fields("accounts"),
    ),
    timeline=("activities",),
    visible=visibility.accounts,
    standing=visibility.standing,
    follows=(
        Follows(
            noun="opportunities", via="account_id", backwards=True, when=(*visibility.OF_A_DEAL, "account_id")
        ),
    ),
    listings=(
        Listing(name="opportunities", target="opportunities", via="account_id", description="Its deals."),
        Listing(name="contacts", target="contacts", via="account_id", description="Its people."),
        Listing(
            name="activities", target="activities", via="account_id", description="What was done with it."
        ),
        Listing(
            name="subsidiaries", target="accounts", via="parent_id", description="The companies it owns."
        ),
    ),
    actions=(merge.verb("accounts"),),
    rests_on=(),
    event_types=merge.event_types,
)

contacts = Resource(
    name="contact",
    plural="contacts",
    title="Contact",
    description=(
        "A person at an account. Seen by its owner, the owner of its account, those above either, and everyone who "
        "sees a deal that names it or that is its account's."
    ),
    table=models.contacts,
    history=models.contacts_history,
    search=("name", "email"),
    fields=(
        f.text("name", "Full name.", "Contact of Isdom", required=True),
        f.reference("account_id", "accounts", "The account where this person works."),
        f.reference("owner_id", "reps", "The rep who keeps in touch."),
        f.text("title", "Job title.", "Head of Procurement", max_length=120),
        f.text("department", "Department.", "Procurement", max_length=120),
        f.text("email", "E-mail.", "procurement@example.com"),
        f.text("phone", "Telephone.", "+1 555 0100", max_length=60),
        *merge.fields("contacts"),
    ),
    timeline=("activities", "touches", "memberships"),
    visible=visibility.contacts,
    standing=visibility.standing,
    follows=(
        Follows(noun="accounts", via="account_id", when=("owner_id",)),
        Follows(
            noun="opportunities",
            via="contact_id",
            child="contact_roles",
            backwards=True,
            when=(*visibility.OF_A_DEAL, "contact_roles"),
        ),
    ),
    listings=(
        Listing(
            name="activities", target="activities", via="contact_id", description="What was done with it."
        ),
        Listing(name="touches", target="touches", via="contact_id", description="What reached it."),
        Listing(
            name="memberships", target="campaign_members", via="contact_id", description="Its campaigns."
        ),
    ),
    actions=(merge.verb("contacts"),),
    rests_on=(),
    default_sort=("name",),
    event_types=merge.event_types,
)

RESOURCES = (accounts, contacts)
