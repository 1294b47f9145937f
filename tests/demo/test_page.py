"""docs/demo.md says what the rows say."""

from app.demo.generate import generate
from tests.demo import page


def test_the_page_holds_the_numbers_of_the_generated_rows() -> None:
    assert page.PATH.read_text("utf-8") == page.page(), "`python -m tests.demo.page` writes docs/demo.md"


def test_the_same_seed_gives_the_same_rows_and_another_one_others() -> None:
    size = {"opportunities": 300, "accounts": 80, "internal_activities": 50}
    assert generate("attain", **size) == generate("attain", **size)
    assert generate("attain", **size) != generate("another", **size)
