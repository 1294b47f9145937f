"""Every code that a refusal may carry, by status, in the words of the contract. A test compares it with the source."""

from __future__ import annotations

REFUSALS: dict[int, dict[str, str]] = {
    400: {
        "bad_request": "The request cannot be read.",
        "bad_cursor": "The cursor is damaged, or was made by a query with another filter or sort.",
        "malformed_json": "The body is not valid JSON.",
        "malformed_query": "The query string cannot be read.",
        "incomplete_body": "The body ended early.",
    },
    401: {
        "unauthorized": "A key is needed.",
        "invalid_key": "The key is unknown, revoked or expired.",
    },
    403: {
        "forbidden": "The role or the key's scopes do not permit it.",
        "out_of_reach": "The record would not be visible to its author.",
        "scope_too_wide": "A key cannot give away more than it has.",
    },
    404: {
        "not_found": "There is no such record, or you may not see it.",
        "no_such_path": "There is no such path.",
        "reference_not_found": "A record that the body refers to is not there.",
    },
    405: {"method_not_allowed": "The path does not take the method; `Allow` says which it takes."},
    406: {"not_acceptable": "None of the accepted media types can be served."},
    409: {
        "conflict": "The current state refuses it.",
        "duplicate": "Another record has the same key.",
        "still_referenced": "Another record still refers to this one.",
        "idempotency_in_flight": "The first request with this Idempotency-Key is still running.",
        "no_such_stage": "The pipeline has no stage of the category.",
        "already_won": "The deal is won.",
        "already_lost": "The deal is lost.",
        "already_open": "The deal is open.",
        "key_revoked": "The key is revoked.",
    },
    412: {"version_conflict": "The record has changed; `current` holds it."},
    413: {"too_large": "The body is too large."},
    415: {
        "unsupported_media_type": "The content type is not taken here.",
        "content_encoding": "A compressed body is not taken.",
    },
    422: {
        "invalid": "The request is understood and wrong; `errors` says where.",
        "unknown_parameter": "A parameter is not known here.",
        "idempotency_key_reused": "The Idempotency-Key was used for another request.",
        "atomic_refused": "With `atomic`, nothing was written.",
        "rule_broken": "A value breaks a rule of the record.",
        "out_of_range": "A value is out of range.",
        "too_deep": "The request is nested too deeply.",
    },
    429: {"too_many_requests": "Wait for `Retry-After` seconds."},
    500: {"internal": "The fault is ours; `request_id` finds it in the logs."},
    503: {
        "unavailable": "Try again after `Retry-After` seconds.",
        "pool_exhausted": "All database connections are busy.",
        "database_unreachable": "The database cannot be reached.",
        "statement_timeout": "The question took too long; ask for less.",
        "contended": "Other writes hold the same records.",
        "write_contention": "Other writers hold the same records.",
    },
}
"""A 422 about a single field carries that field's own code; it stands in `errors` too."""

TITLES = {
    400: "The request cannot be read",
    401: "A valid API key is needed",
    403: "Not permitted",
    404: "No such record",
    405: "The path does not take that method",
    406: "None of the accepted media types can be served",
    409: "The current state refuses it",
    412: "The record has changed since it was read",
    413: "The body is too large",
    415: "The content type is not taken",
    422: "The request is not valid",
    429: "Too many requests",
    500: "The fault is ours",
    503: "The service cannot take this now",
}
ALWAYS = (401, 403, 422, 429, 500, 503)
