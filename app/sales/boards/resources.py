"""The noun of numbers that are published to others."""

from __future__ import annotations

from app.ground.access.principal import ROLES
from app.language.metrics.metric import MetricCatalogue
from app.language.resources import fields as f
from app.language.resources.resource import Child, Resource
from app.sales.boards import models, numbers, rules
from app.sales.boards.actions import ACTIONS
from app.sales.boards.audience import WAYS
from app.sales.org import visibility

audience = Child(
    name="audience",
    singular="audience_row",
    table=models.board_audience,
    history=models.board_audience_history,
    parent="board_id",
    description="For whom it is, beside whoever published it, those above them, admins, analysts and integrations.",
    key=WAYS,
    fields=(
        f.choice("role", "Everybody of this role; each row names one of the four.", ROLES, example="rep"),
        f.reference("team_id", "teams", "Its members, and everyone above one of them."),
        f.reference("territory_id", "territories", "The reps who cover it, and everyone above one of them."),
        f.reference("rep_id", "reps", "This rep, and everyone above."),
    ),
)


def boards(metrics: MetricCatalogue) -> Resource:
    return Resource(
        name="board",
        plural="boards",
        title="Board",
        description=(
            "A question about numbers that a manager or an admin publishes to an audience: it has the numbers as the "
            "publisher sees them, never the rows behind them. A leaderboard is one by rep, sorted."
        ),
        table=models.boards,
        history=models.boards_history,
        past_is_told=False,
        fields=(
            f.text("name", "Name.", "Leaderboard of the quarter", required=True),
            f.text("description", "What it is for.", "Who booked most.", max_length=1000),
            f.question(
                "question", "What is asked, as `/v1/metrics:query` takes it; by and of records that all may see.",
                {"metrics": ["bookings"], "period": "this_quarter", "by": ["rep"], "sort": "-bookings"},
                required=True,
            ),
            f.flag("for_everyone", "Whether everybody in the tenant is the audience.", default=False),
            f.choice("state", "Whether its audience is given the numbers.", models.STATES, default="draft",
                     write="never", example="published"),
            f.reference("publisher_id", "reps", "Whose board it is; null for an admin's, which admins alone change.",
                        write="never"),
            f.reference("publisher_user_id", "users", "The user who published it; null for a draft, or for a key.",
                        relation=None, write="never"),
            f.reference("publisher_key_id", "api_keys", "The key of nobody that published it.", relation=None,
                        write="never"),
            f.text("published_by", "What the publisher was called then.", "Darcel Schlecht", write="never"),
            f.moment("published_at", "When it was published; null for a draft.", write="never"),
        ),
        visible=visibility.boards,
        standing=visibility.standing,
        children=(audience,),
        actions=ACTIONS,
        default_sort=("name",),
        search=("name",),
        numbers=numbers.held,
        prepare=rules.prepare,
        check=rules.Rules(metrics).check,
    )  # fmt: skip
