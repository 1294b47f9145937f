from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from app.ground.database.convoys import MOST, Convoys


class Road:
    """Where each convoy takes until it is let on; `gone` are its riders."""

    def __init__(self, at_once: int = 1) -> None:
        self.convoys = Convoys(at_once)
        self.gone: list[list[int]] = []
        self.ahead: list[asyncio.Future[None]] = []

    async def go(self, riders: Sequence[int]) -> list[str]:
        self.gone.append(list(riders))
        self.ahead.append(asyncio.get_running_loop().create_future())
        await self.ahead[-1]
        return [f"<{x}>" for x in riders]

    async def send(self, *riders: int, kind: str = "a") -> list[asyncio.Task[str]]:
        sent = [asyncio.create_task(self.convoys.join(kind, x, self.go)) for x in riders]
        await turn()
        return sent

    async def let_on(self, error: BaseException | None = None) -> None:
        """The one that has been under way for longest."""
        self.ahead = [x for x in self.ahead if not x.done()]
        [there] = [x for x in self.ahead if not x.done()][:1]
        if error is None:
            there.set_result(None)
        else:
            there.set_exception(error)
        await turn()

    @property
    def is_empty(self) -> bool:
        return not (self.convoys._lanes or self.convoys._tasks)


async def turn() -> None:
    for _ in range(6):
        await asyncio.sleep(0)


async def test_who_meets_nobody_goes_at_once() -> None:
    road = Road()
    [first] = await road.send(1)
    assert road.gone == [[1]]
    await road.let_on()
    assert (await first, road.is_empty) == ("<1>", True)


async def test_who_waits_goes_with_all_who_wait_and_gets_its_own_answer() -> None:
    road = Road()
    [first] = await road.send(1)
    behind = await road.send(2, 3, 4)
    other = await road.send(9, kind="b")
    assert road.gone == [[1], [9]], "another kind meets nobody"
    await road.let_on()
    assert road.gone[2] == [2, 3, 4]
    last = await road.send(5)
    await road.let_on()
    await road.let_on()
    assert road.gone[3] == [5], "by itself"
    await road.let_on()
    assert await asyncio.gather(first, *behind, *other, *last) == ["<1>", "<2>", "<3>", "<4>", "<9>", "<5>"]
    assert road.is_empty


async def test_who_comes_in_the_same_turn_goes_together() -> None:
    road = Road()
    sent = await road.send(1, 2, 3)
    assert road.gone == [[1, 2, 3]]
    await road.let_on()
    assert await asyncio.gather(*sent) == ["<1>", "<2>", "<3>"]
    assert road.is_empty


async def test_as_many_are_under_way_as_may_be() -> None:
    road = Road(at_once=2)
    sent = await road.send(1) + await road.send(2) + await road.send(3, 4) + await road.send(5)
    assert road.gone == [[1], [2]]
    await road.let_on()
    assert road.gone[2:] == [[3, 4, 5]]
    sent += await road.send(6)
    assert len(road.gone) == 3
    for _ in range(3):
        await road.let_on()
    assert await asyncio.gather(*sent) == [f"<{x}>" for x in range(1, 7)]
    assert road.is_empty


async def test_a_convoy_has_an_end() -> None:
    road = Road()
    sent = await road.send(0)
    sent += await road.send(*range(1, MOST + 5))
    for _ in range(3):
        await road.let_on()
    assert [len(x) for x in road.gone] == [1, MOST, 4]
    assert await asyncio.gather(*sent) == [f"<{x}>" for x in range(MOST + 5)]
    assert road.is_empty


async def test_what_fails_fails_for_those_who_were_in_it() -> None:
    road = Road()
    [first] = await road.send(1)
    second, third = await road.send(2, 3)
    await road.let_on(ValueError("first"))
    behind = await road.send(4, 5)
    await road.let_on(ValueError("convoy"))
    await road.let_on()
    for task, why in ((first, "first"), (second, "convoy"), (third, "convoy")):
        with pytest.raises(ValueError, match=why):
            await task
    assert await asyncio.gather(*behind) == ["<4>", "<5>"]
    assert road.is_empty


async def test_who_gives_up_leaves_the_others_their_answers() -> None:
    road = Road()
    [first] = await road.send(1)
    second, third, fourth = await road.send(2, 3, 4)
    second.cancel()
    await turn()
    await road.let_on()
    assert road.gone[1] == [3, 4], "it was not under way"
    third.cancel()
    await road.let_on()
    assert (await first, await fourth) == ("<1>", "<4>")
    assert second.cancelled()
    assert third.cancelled()
    assert road.is_empty


async def test_who_goes_first_and_gives_up_holds_nobody() -> None:
    road = Road()
    [first] = await road.send(1)
    [second] = await road.send(2)
    first.cancel()
    await turn()
    assert road.gone == [[1], [2]]
    await road.let_on()
    assert first.cancelled()
    assert (await second, road.is_empty) == ("<2>", True)


@pytest.mark.parametrize("turns", range(6))
async def test_at_whatever_turn_it_is_given_up_the_next_can_go(turns: int) -> None:
    road = Road()
    [first] = await road.send(1)
    [second] = await road.send(2)
    road.ahead[0].set_result(None)
    for _ in range(turns):
        await asyncio.sleep(0)
    second.cancel()
    await turn()
    assert await first == "<1>"
    [third] = await road.send(3)
    assert road.gone[-1] == [3]
    await road.let_on()
    assert (await third, road.is_empty) == ("<3>", True)


async def test_the_end_of_the_loop_ends_all_of_them() -> None:
    road = Road()
    [first] = await road.send(1)
    second, third = await road.send(2, 3)
    await road.let_on()
    assert await first == "<1>"
    [convoy] = road.convoys._tasks
    convoy.cancel()
    await turn()
    assert second.cancelled()
    assert third.cancelled()
    assert road.is_empty
