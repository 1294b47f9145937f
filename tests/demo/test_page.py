"""docs/demo.md says what the rows say."""

from tests.demo import page


def test_the_page_holds_the_numbers_of_the_generated_rows() -> None:
    assert page.PATH.read_text("utf-8") == page.page(), "`python -m tests.demo.page` writes docs/demo.md"
