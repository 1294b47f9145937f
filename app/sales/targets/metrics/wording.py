"""Rules that hold of several numbers about quotas, in words."""

QUOTA_RULES = (
    "A change within the period weighs each amount by the days on which it held.",
    "A day expects as much as another of its period; with a seasonality, as another of its month or quarter, of which "
    "each has its weight's part of the amount.",
    "With a ramp schedule a day counts with the part of the month of the rep's career that it is in, before the first "
    "day with nothing; of a rep without a first day all is expected. Rep and schedule as of the moment asked for.",
    "Of two quotas of one holder over the same days the one with the shorter period holds.",
    "The value is rolled up from what reps carry. Quotas of teams and territories, and of a rep below whom somebody "
    "carries a quota over the same days, are that level's own: excluded as `assigned`, shown beside it where the "
    "question groups by that level, never added.",
    "By manager, team and territory a quota follows its rep day by day; with `credit=current`, today's place.",
    "Converted at the rate of the first day of the quota's period.",
)  # fmt: skip
NO_QUOTA = "No quota, or a quota of 0, is null with `no_quota`."
ASSIGNED = "The level's own quota, where the question groups by rep, manager, team or territory."

_BY_WORKING_DAYS = (
    "Days are working days of the rep's calendar, else of the default one, with half a holiday half a day. Where there "
    "is neither, and among days of which none is worked, every day counts."
)
BEGUN_RULES = (
    _BY_WORKING_DAYS,
    "Today counts as begun. Once the period is over, all is due: it is the attainment.",
    "Of a quota whose period reaches beyond the bucket, the days within it are counted; so too of each amount that it "
    "has had, and of each place of its rep where one is asked for.",
    "Before any day has begun it is null with `not_begun`.",
)
RELIEF_RULES = (
    "Only what is approved counts, from when it was. What is asked for is excluded as `requested`, what was refused as "
    "`rejected`.",
    _BY_WORKING_DAYS,
    "A share takes from what a quota puts into the bucket the part that the relief's days are of its days there: so "
    "the months of a quarter's quota need not add up to the quarter.",
    "An amount spreads over the relief's own days; on days without a quota it is of nothing.",
    "Several reliefs add up. Quotas that do not count relieve nobody: excluded as `assigned`.",
)
LET_OFF = {
    "relief": "What reps are let off by approved relief; see `quota_relief`.",
    "after_relief": "Quota - relief.",
}
LET_OFF_RULES = (
    "Relief stands beside it and leaves the value as it is; null where its amount lacks a rate of exchange.",
)
