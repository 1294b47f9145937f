"""Places are given by turns, none is lost, and nobody waits longer than is said."""

from __future__ import annotations

import asyncio
import random
import time
from types import SimpleNamespace

import pytest

from app.ground.database.fair_queue import FairQueue, Full


def queue(size: int = 4, *, most_each: int = 4, waiting_each: int = 100, seconds: float = 5) -> FairQueue:
    return FairQueue(size, most_each=most_each, waiting_each=waiting_each, seconds=seconds)


async def test_a_quiet_lane_waits_for_one_place_only() -> None:
    places = queue(2)
    served: list[str] = []

    async def work(who: str) -> None:
        lane = await places.enter(who)
        served.append(who)
        await asyncio.sleep(0)
        places.leave(lane)

    noisy = [asyncio.create_task(work("noisy")) for _ in range(50)]
    await asyncio.sleep(0)
    quiet = asyncio.create_task(work("quiet"))
    await asyncio.gather(quiet, *noisy)
    assert served.index("quiet") <= 4
    assert (places.held, places.waiting) == (0, 0)


async def test_the_last_places_are_never_one_lanes() -> None:
    places = queue(4, most_each=3)
    held = [places.enter_at_once("noisy") for _ in range(4)]
    assert held[3] is None
    assert places.enter_at_once("quiet") is not None


async def test_a_lane_in_company_holds_a_fifth() -> None:
    places = queue(10, most_each=8)
    held: list[int] = []
    company = True

    async def turn(who: str) -> int:
        lane = await places.enter(who)
        holding = lane.holding
        await asyncio.sleep(0)
        places.leave(lane)
        return holding

    async def noisy() -> None:
        while company:
            held.append(await turn("noisy"))

    async def quiet(who: str) -> None:
        for _ in range(50):
            await turn(who)

    crowd = [asyncio.create_task(noisy()) for _ in range(30)]
    await asyncio.gather(*(quiet(f"quiet {n}") for n in range(9)))
    company, seen = False, held[len(held) // 2 :]
    await asyncio.gather(*crowd)
    assert max(seen) == 2


async def test_a_crowd_steps_back_before_who_is_none() -> None:
    """Half of its fifth beside others, and all of it alone. Two crowds do not wait for each other."""
    places = queue(20, most_each=16)
    for n in range(9):
        places.leave(await places.enter(f"quiet {n}"))
    tasks = [asyncio.create_task(places.enter("crowd")) for _ in range(30)]
    await asyncio.sleep(0)
    crowd = places.lanes["crowd"]
    for _ in range(16):
        places.leave(crowd)
    assert crowd.holding == 4
    quiet = await places.enter("quiet 1")
    for _ in range(3):
        places.leave(crowd)
    assert crowd.holding == 2
    places.leave(quiet)
    assert crowd.holding == 4
    tasks += [asyncio.create_task(places.enter("another")) for _ in range(30)]
    await asyncio.sleep(0)
    for _ in range(4):
        places.leave(crowd)
    assert (crowd.holding, places.lanes["another"].holding) == (4, 4)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_weight_is_a_share() -> None:
    places = queue(8, most_each=8)
    places.lane("heavy").weight = 3
    first = [places.enter_at_once("first") for _ in range(8)]
    tasks = [asyncio.create_task(places.wait(who)) for _ in range(20) for who in ("heavy", "light")]
    await asyncio.sleep(0)
    for lane in first:
        assert lane is not None
        places.leave(lane)
    await asyncio.sleep(0)
    assert (places.lanes["heavy"].holding, places.lanes["light"].holding) == (6, 2)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert places.waiting == 0


async def test_too_many_and_too_long() -> None:
    places = queue(1, waiting_each=1, seconds=0.5)
    held = await places.enter("a")
    waits = asyncio.create_task(places.enter("a"))
    await asyncio.sleep(0)
    began = time.perf_counter()
    with pytest.raises(Full):
        await places.enter("a")
    assert time.perf_counter() - began < 0.4
    with pytest.raises(Full):
        await waits
    places.leave(held)
    assert (places.held, places.waiting) == (0, 0)
    places.leave(await places.enter("a"))


async def test_a_burst_after_a_pause_is_not_hopeless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Places fell free fast whenever somebody waited; that nobody came for an hour makes them no slower."""
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    places = queue(2, most_each=2, seconds=1)

    async def burst() -> None:
        tasks = [asyncio.create_task(places.enter("a")) for _ in range(30)]
        await asyncio.sleep(0)
        assert places.waiting == 28
        for number, task in enumerate(tasks):
            places.leave(await task)
            assert not places.is_hopeless("a"), number

    await burst()
    now += 3600
    await burst()


async def test_hopeless_is_who_would_wait_a_quarter_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fifty places a second: thirteen before it are a wait of 0.26 s, of one that may be 1 s."""
    now = 1000.0
    monkeypatch.setattr("app.ground.database.fair_queue.time", SimpleNamespace(monotonic=lambda: now))
    places = queue(1, most_each=1, waiting_each=400, seconds=1)
    tasks = [asyncio.create_task(places.enter("a")) for _ in range(300)]
    await asyncio.sleep(0)
    hopeless: dict[int, bool] = {}
    for task in tasks:
        lane = await task
        now += 0.02
        places.leave(lane)
        hopeless[places.waiting] = places.is_hopeless("a")
        if places.waiting == 12:
            assert places.is_hopeless("a", coming=1)
            assert not places.is_hopeless("b", coming=50)
    assert [n for n in range(100) if hopeless[n]] == list(range(13, 100))


async def test_none_is_lost_when_callers_go_away() -> None:
    """Cancelled before, while and just after a place is given: whatever happens, every place comes back."""
    chance = random.Random(7)
    places = queue(3, most_each=2, waiting_each=1000, seconds=0.03)
    most = 0

    async def work(who: int) -> None:
        nonlocal most
        lane = await places.enter(who)
        try:
            most = max(most, places.held)
            assert lane.holding <= 2
            await asyncio.sleep(chance.choice((0, 0, 0.001)))
        finally:
            places.leave(lane)

    for _ in range(20):
        tasks = [asyncio.create_task(work(chance.randrange(5))) for _ in range(100)]
        for task in chance.sample(tasks, 50):
            await asyncio.sleep(0 if chance.random() < 0.8 else 0.001)
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert (places.held, places.waiting) == (0, 0)
        assert [lane.holding for lane in places.lanes.values() if lane.holding] == []
    assert most == 3


async def test_idle_lanes_are_forgotten_when_there_are_very_many() -> None:
    places = queue(1)
    for who in range(20_000):
        places.leave(await places.enter(who))
    assert len(places.lanes) <= 10_001
