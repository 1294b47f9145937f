"""dlt's declarative REST source: opportunities, incremental by `updated_at`; the second run loads what changed."""

import tempfile

import dlt
import httpx
from dlt.sources.rest_api import RESTAPIConfig, rest_api_source
from live import key, url

CONFIG: RESTAPIConfig = {
    "client": {
        "base_url": f"{url}/v1/",
        "auth": {"type": "bearer", "token": key},
        "paginator": {"type": "cursor", "cursor_path": "next_cursor", "cursor_param": "cursor"},
    },
    "resources": [
        {
            "name": "opportunities",
            "primary_key": "id",
            "write_disposition": "merge",
            "endpoint": {
                "path": "opportunities",
                "data_selector": "data",
                "params": {
                    "sort": "updated_at",
                    "expand": "line_items",
                    "limit": 50,
                    "updated_at[gte]": "{incremental.start_value}",
                },
                "incremental": {"cursor_path": "updated_at", "initial_value": "1970-01-01T00:00:00Z"},
            },
        }
    ],
}


def load(pipeline: dlt.Pipeline) -> int:
    """How many opportunities this run brought in."""
    pipeline.run(rest_api_source(CONFIG)).raise_on_failed_jobs()
    return pipeline.last_trace.last_normalize_info.row_counts.get("opportunities", 0)


with tempfile.TemporaryDirectory() as folder:
    pipeline = dlt.pipeline(
        "attain",
        pipelines_dir=f"{folder}/pipelines",
        destination=dlt.destinations.duckdb(f"{folder}/warehouse.duckdb"),
        dataset_name="sales",
    )
    everything = load(pipeline)
    assert everything >= 240, everything

    changed = httpx.patch(
        f"{url}/v1/opportunities/clients:deal-240",
        json={"next_step": "Seen by dlt"},
        headers={"Authorization": f"Bearer {key}"},
    )
    assert changed.is_success, changed.text
    # Other clients write meanwhile; most of what is there they do not touch.
    again = load(pipeline)
    assert 1 <= again <= 20, again

    with pipeline.sql_client() as warehouse:
        found = warehouse.execute_sql(
            "select count(*), count(*) filter (next_step = 'Seen by dlt') from opportunities"
        )
    assert found is not None
    [(count, seen)] = found
    assert count >= everything
    assert seen == 1
