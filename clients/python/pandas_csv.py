"""pandas reads any list and any number by its URL; the key travels in a header."""

import pandas as pd
from live import key, url

HEADERS = {"Authorization": f"Bearer {key}", "Accept": "text/csv"}

deals = pd.read_csv(
    f"{url}/v1/opportunities?columns=id,name,amount_home,closed_at,account.industry&closed_at[is_null]=false",
    storage_options=HEADERS,
    parse_dates=["closed_at"],
)
assert len(deals) >= 100
assert deals["amount_home"].sum() > 0
assert deals["account.industry"].nunique() == 4

numbers = pd.read_csv(
    f"{url}/v1/metrics/query?metric=bookings&metric=win_rate&period=last_90_days&by=rep",
    storage_options=HEADERS,
)
assert set(numbers["metric"]) == {"bookings", "win_rate"}
assert numbers["rep_name"].notna().any()
