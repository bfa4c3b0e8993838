from __future__ import annotations

from tests.reliability.page import PAGE, Found, text_of_page


def test_the_page_is_what_the_programs_wrote() -> None:
    assert PAGE.read_text("utf-8") == text_of_page(), "run python -m tests.reliability.page"


def test_a_section_has_its_command_counts_and_everything_that_was_wrong() -> None:
    found = Found(
        "Kills", ["One.", "Two."], "python -m x", "7 kills.", ["stage", "n"], [["a", 7]], ["a: bad"], "2026-01-02"
    )
    text = "\n".join(found.lines)
    assert text.startswith("## Kills\n\nOne.\n\nTwo.\n\n`python -m x`, 2026-01-02, Python 3.")
    assert "7 kills.\n\n| stage | n |\n|---|--:|\n| a | 7 |\n\n- a: bad" in text
