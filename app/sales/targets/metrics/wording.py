"""Rules that hold of several numbers about quotas, in words."""

QUOTA_RULES = (
    "A change within the period weighs each amount by the days on which it held.",
    "Of two quotas of one holder over the same days the one with the shorter period holds.",
    "The value is rolled up from what reps carry. Quotas of teams and territories, and of a rep below whom somebody "
    "carries a quota over the same days, are that level's own: excluded as `assigned`, shown beside it where the "
    "question groups by that level, never added.",
    "By manager, team and territory a quota follows its rep day by day; with `credit=current`, today's place.",
    "Converted at the rate of the first day of the quota's period.",
)  # fmt: skip
NO_QUOTA = "No quota, or a quota of 0, is null with `no_quota`."
ASSIGNED = "The level's own quota, where the question groups by rep, manager, team or territory."
