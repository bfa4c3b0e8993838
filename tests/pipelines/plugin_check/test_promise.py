from __future__ import annotations

import pytest

from data_manifests.errors import InputError
from pipelines.plugin_check.promise import (
    Broken,
    NotTried,
    Promise,
    Verdict,
    expect,
    expect_folder_name,
    expect_plain,
    try_all,
)


def raising(error: Exception):
    def attempt() -> None:
        raise error

    return attempt


def test_a_promise_is_kept_broken_or_not_tried_and_says_why():
    found = try_all(
        [
            Promise("a", lambda: None),
            Promise("b", raising(Broken("found 1, expected 2"))),
            Promise("c", raising(InputError("no file"))),
            Promise("d", raising(ZeroDivisionError("by zero"))),
            Promise("e", raising(NotTried("no tower"))),
        ]
    )
    assert found == [
        Verdict("a", True),
        Verdict("b", False, "found 1, expected 2"),
        Verdict("c", False, "no file"),
        Verdict("d", False, "ZeroDivisionError: by zero"),
        Verdict("e", None, "no tower"),
    ]


def test_after_a_broken_vital_promise_nothing_else_is_tried():
    found = try_all([Promise("loads", raising(Broken("no")), vital=True), Promise("b", raising(AssertionError()))])
    assert found == [Verdict("loads", False, "no"), Verdict("b", None, "needs that it loads")]


def test_what_can_not_be_tried_leaves_the_rest_untried_for_the_same_reason():
    found = try_all([Promise("is built", raising(NotTried("no tower")), vital=True), Promise("b", lambda: None)])
    assert [(item.kept, item.detail) for item in found] == [(None, "no tower"), (None, "no tower")]


def test_expect_takes_any_truth():
    expect([1], "x")
    with pytest.raises(Broken, match="an empty list"):
        expect([], "an empty list")


@pytest.mark.parametrize("slug", ["", "a/b", "..", "a b", None, "ünï"])
def test_a_folder_name_is_one_on_every_system(slug):
    with pytest.raises(Broken, match="letters, digits"):
        expect_folder_name(slug, "slug")


def test_keys_hold_plain_values_and_no_absolute_path():
    expect_plain({"size": 3, "list": ["a/b", None]}, "provenance")
    with pytest.raises(Broken, match=r"absolute path \['/home/me/w\.pt'\]"):
        expect_plain({"weights": {"file": "/home/me/w.pt"}}, "provenance")
    with pytest.raises(Broken, match="a value that JSON cannot"):
        expect_plain({"weights": {1, 2}}, "provenance")
    with pytest.raises(Broken, match="expected a dict"):
        expect_plain(None, "provenance")
