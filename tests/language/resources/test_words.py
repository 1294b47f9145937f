"""The words of a text, and what becomes of them when records are written, renamed, deleted, or came by SQL."""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.areas import CATALOGUE
from app.ground.access.principal import ROLES
from app.ground.database.session import connect
from app.language.resources import words
from app.language.resources.reindex import reindex
from app.language.resources.words import asked
from app.language.resources.write import upsert
from tests.language.resources.test_write import seed

ACCOUNTS = CATALOGUE["accounts"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("José O'Neill <j.x@Example.eu>", ("jose", "o", "neill", "j", "x", "example", "eu")),
        ("Straße STRASSE", ("strasse",)),
        ("ﬁne ＡＢＣ-12 İzmir", ("fine", "abc", "12", "izmir")),
        ("a_b--c / 北京", ("a", "b", "c", "北京")),
        ("x" * 60, ("x" * 40,)),
        ("…!?", ()),
        (None, ()),
    ],
)
def test_words(text: str | None, expected: tuple[str, ...]) -> None:
    assert words.words(text) == expected


@given(st.text(max_size=60))
@example("\u0345")
@example("ᾳ")
def test_words_are_words(text: str) -> None:
    found = words.words(text)
    assert len(set(found)) == len(found)
    for word in found:
        assert 0 < len(word) <= words.LONGEST
        assert words.words(word) == (word,)
        low, high = words.bounds(word)
        assert low <= word < high
        assert low <= word + "z" < high
    assert words.words(text.casefold()) == found
    assert set(words.words(unicodedata.normalize("NFC", text))) == set(
        words.words(unicodedata.normalize("NFD", text))
    )


@given(st.lists(st.text("abc", min_size=1, max_size=4), max_size=6))
def test_what_is_asked_says_as_much(texts: list[str]) -> None:
    found = asked(" ".join(texts))
    for text in texts:
        assert any(word.startswith(text) for word in found)
    assert set(found) <= set(texts)


def test_what_is_searched_everyone_may_read() -> None:
    searched = [noun for noun in CATALOGUE if noun.search]
    assert {x.plural for x in searched} >= {
        "opportunities",
        "accounts",
        "contacts",
        "leads",
        "reps",
        "products",
    }
    for noun in searched:
        for name in noun.search:
            field = noun.by_name[name]
            assert field.kind == "text", (noun.plural, name)
            assert field.expression is None, (noun.plural, name)
            assert all(field.readable_by(role) for role in ROLES), (noun.plural, name)


async def stored(database: Any, tenant: Any) -> dict[str, set[str]]:
    """What is in the table, by the record's external id."""
    async with database.transaction(tenant.id) as session:
        rows = await session.connection.fetch(
            "select x.external_id, w.word from search_words w join external_ids x on x.tenant_id = w.tenant_id and "
            "x.record_id = w.record_id and x.noun = w.noun where w.tenant_id = $1 and w.noun = 'accounts'",
            tenant.id,
        )
    found: dict[str, set[str]] = {}
    for row in rows:
        found.setdefault(row["external_id"], set()).add(row["word"])
    return found


async def test_words_follow_their_records(database: Any, tenant: Any) -> None:
    principal = tenant.principal()
    await seed(database, principal)
    begin = await stored(database, tenant)

    async def write(*rows: dict[str, Any], **more: Any) -> dict[str, set[str]]:
        async with database.transaction(tenant.id) as session:
            await upsert(session, principal, CATALOGUE, ACCOUNTS, "crm", list(rows), **more)
        found = await stored(database, tenant)
        return {key: value for key, value in found.items() if key not in begin}

    assert await write({"external_id": "n1", "name": "Café Zoë"}, {"external_id": "n2", "name": "Zoo Zoo"}) == {
        "n1": {"cafe", "zoe"}, "n2": {"zoo"},
    }  # fmt: skip
    changed = {"n1": {"cafe", "noir"}, "n2": {"zoo"}}
    assert (
        await write({"external_id": "n1", "name": "Café Noir"}, {"external_id": "n2", "industry": "x"})
        == changed
    )
    assert await write({"external_id": "n1", "deleted": True}) == changed
    assert await write({"external_id": "n1", "name": "Bar"}) == {"n1": {"bar"}, "n2": {"zoo"}}
    assert await write({"external_id": "n2", "name": "Of a try"}, dry_run=True) == {
        "n1": {"bar"},
        "n2": {"zoo"},
    }


async def test_reindex_makes_the_same_words(
    database: Any, owner_url: str, tenant: Any, make_tenant: Any
) -> None:
    principal = tenant.principal()
    await seed(database, principal)
    neighbour = await make_tenant("Neighbour")
    await seed(database, neighbour.principal())
    before, theirs = await stored(database, tenant), await stored(database, neighbour)
    assert before
    assert theirs == before
    async with database.transaction(tenant.id) as session:
        run = session.connection.execute
        await run("delete from search_words where tenant_id = $1 and word like 'a%'", tenant.id)
        await run(
            "insert into search_words select tenant_id, noun, 'wrong', record_id from search_words "
            "where tenant_id = $1 on conflict do nothing",
            tenant.id,
        )
    assert await stored(database, tenant) != before
    connection = await connect(owner_url)
    try:
        assert await reindex(connection, tenant.id, CATALOGUE) > 0
    finally:
        await connection.close()
    assert await stored(database, tenant) == before
    assert await stored(database, neighbour) == theirs
