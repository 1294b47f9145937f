import random
from datetime import UTC, datetime
import pytest
from tests.language.metrics.test_random_histories import ask_both
from tests.language.metrics.history import invent, load, load_again
from tests.language.metrics.world import new_world
M=["quota_relief","pacing","quota_attainment_to_date","quota","quota_attainment"]
@pytest.mark.parametrize("seed", range(3))
async def test_x(seed, owner_url, database):
    world = await new_world(owner_url, database, timezone="America/New_York")
    model = invent(seed, datetime.now(UTC), 40)
    await load(world, model)
    between = datetime.now(UTC)
    await load_again(world, model)
    dice = random.Random(2000 + seed)
    for _ in range(40):
        await ask_both(world, model, dice, dice.choice(M), between)
