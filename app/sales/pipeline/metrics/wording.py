"""Rules that hold of several numbers, in words."""

REOPENED = "A reopened deal is counted by its state at `as_of`: won then, it is won; reopened since, it is open again."
CREDIT = (
    "Credit follows the owner at the close and that owner's team, territory and manager at that time; "
    "`credit=current` follows today's."
)
UNDATED = "Won or lost deals without a close date belong to no period: excluded as `no_close_date`."
UNPRICED = (
    "A deal without an amount (`no_amount`) or without a rate of exchange on or before its day (`missing_fx`) is "
    "counted there and not priced; nothing priced at all is null."
)
PRODUCTS = (
    "By product, amounts are those of the lines, and what they do not cover is `unallocated`; a deal counts once in "
    "each of its groups and once in the total."
)
UNBORN = (
    "As of a moment before they were recorded, deals without an opening date are excluded as `no_open_date`."
)
LINES = (
    "Counted are lines: what they do not cover of a deal has no part in it, and a won deal without lines is excluded "
    "as `no_lines`. A line belongs to one product; without one it is `unallocated`."
)
UNBORN_LINES = (
    "As of a moment before they were recorded, won deals without an opening date are excluded as `no_open_date`, "
    "each once: of their lines nothing is known."
)
LINE_RULES = (LINES, UNDATED, UNBORN_LINES, REOPENED, CREDIT)
CLOSE_RULES = (UNDATED, UNBORN, REOPENED, CREDIT, PRODUCTS)
