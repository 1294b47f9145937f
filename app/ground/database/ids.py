"""UUIDv7: sorted by time, so that new rows go to the end of every index."""

from __future__ import annotations

import os
import time
from datetime import datetime
from uuid import UUID


def new_id() -> UUID:
    value = int.from_bytes(os.urandom(10), "big")
    value |= (time.time_ns() // 1_000_000) << 80
    value = (value & ~(0xF << 76)) | (0x7 << 76)
    return UUID(int=(value & ~(0x3 << 62)) | (0x2 << 62))


def first_id_at(moment: datetime) -> UUID:
    """No id made from `moment` on is smaller than this one."""
    return UUID(int=max(0, int(moment.timestamp() * 1000)) << 80)
