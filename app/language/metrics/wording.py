"""Rules that hold of numbers of any area, in words."""

STOCK = (
    "The value at the end of each bucket, or at `as_of` or now where that is earlier; without a period, now."
)
PRECEDING = (
    "Before whole months come as many months, before a fiscal unit the one before it, else as many days; while the "
    "period is not over (`partial`), as many days as have passed of it."
)
