"""The nouns of whom we sell to."""

from app.language.resources import fields as f
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
        Listing(
            name="activities", target="activities", via="account_id", description="What was done with it."
        ),
        Listing(
            name="subsidiaries", target="accounts", via="parent_id", description="The companies it owns."
        ),
    ),
)

RESOURCES = (accounts,)
