"""What header lines say to whoever may refuse the request."""

from __future__ import annotations

import pytest

from app import heads
from app.heads import Heads, Told

KEY = b"Authorization: Bearer k"


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (b"Host: x\r\n" + KEY, Told(b"Bearer k", 0)),
        (b"authorization:Bearer k\r\nContent-Length: 12\r\nConnection: Keep-Alive", Told(b"Bearer k", 12)),
        (b"Host: x", None),
        (KEY + b"\r\nOrigin: https://app.example.com", None),
        (KEY + b"\r\nConnection: close", None),
        (KEY + b"\r\nTransfer-Encoding: chunked", None),
        (KEY + b"\r\nExpect: 100-continue", None),
        (KEY + b"\r\nUpgrade: websocket", None),
        (KEY + b"\r\nno header", None),
        (KEY + b"\r\n folded: x", None),
        (KEY + b"\r\nContent-Length : 12", None),
        (KEY + b"\r\nX: a\nContent-Length: 12", None),
        (KEY + b"\r\nContent-Length: 12\r\nContent-Length: 0", None),
        (KEY + b"\r\n" + KEY, None),
        (KEY + b"\r\nContent-Length: -1", None),
        (KEY + b"\r\nContent-Length: " + b"9" * 5_000, None),
    ],
)
def test_it_is_read_once_and_told_again(lines: bytes, told: Told | None) -> None:
    known = Heads()
    assert [known.told(lines), known.told(lines)] == [told, told]


def test_of_heads_without_end_few_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[bytes] = []
    of = heads._read  # pyright: ignore[reportPrivateUsage]

    def noted(lines: bytes) -> Told | None:
        read.append(lines)
        return of(lines)

    monkeypatch.setattr(heads, "_read", noted)
    known = Heads()
    for n in range(5_000):
        assert known.told(b"%s\r\nX-Trace: %d" % (KEY, n)) == Told(b"Bearer k", 0)
    long = KEY + b"\r\nX-Long: " + b"x" * 5_000
    assert known.told(long) == known.told(long) == Told(b"Bearer k", 0)
    assert read.count(long) == 2
    again = len(read)
    assert known.told(b"%s\r\nX-Trace: 4999" % KEY)
    assert len(read) == again
    assert known.told(b"%s\r\nX-Trace: 0" % KEY)
    assert len(read) == again + 1
