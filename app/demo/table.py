"""stub"""


async def show(*a): ...
