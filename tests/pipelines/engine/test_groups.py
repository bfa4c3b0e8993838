from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.engine.groups import OWN_GROUP_FRAMES, group_videos

_FRAMES = st.integers(0, 2 * OWN_GROUP_FRAMES)
_VIDEOS = st.dictionaries(st.text(min_size=1, max_size=8), _FRAMES, max_size=20)
_BUCKETS = st.sampled_from([1, 2, 16, 1024])
_quick = settings(max_examples=50, deadline=None)


@_quick
@given(planned=_VIDEOS, buckets=_BUCKETS)
def test_every_video_is_in_exactly_one_group(planned: dict[str, int], buckets: int) -> None:
    grouped = [video for videos in group_videos(planned, buckets).values() for video in videos]
    assert sorted(grouped) == sorted(planned)


@_quick
@given(planned=_VIDEOS, more=st.dictionaries(st.text(min_size=9, max_size=12), _FRAMES, max_size=10), buckets=_BUCKETS)
def test_adding_ten_videos_changes_at_most_ten_groups(
    planned: dict[str, int], more: dict[str, int], buckets: int
) -> None:
    old, new = group_videos(planned, buckets), group_videos(planned | more, buckets)
    changed = {name for name in new if new[name] != old.get(name)}
    assert len(changed) <= len(more) <= 10
    assert old.keys() <= new.keys()
    for name in changed:
        assert set(new[name]) - set(more) == set(old.get(name, []))


@_quick
@given(planned=_VIDEOS, buckets=_BUCKETS)
def test_a_video_of_500_frames_or_more_is_alone_and_the_others_share_buckets(
    planned: dict[str, int], buckets: int
) -> None:
    for name, videos in group_videos(planned, buckets).items():
        if name.startswith("v"):
            assert len(videos) == 1
            assert planned[videos[0]] >= 500
        else:
            assert int(name.removeprefix("b")) < buckets
            assert max(planned[video] for video in videos) < 500


@_quick
@given(planned=_VIDEOS, buckets=_BUCKETS)
def test_groups_and_their_videos_are_sorted_however_they_are_given(planned: dict[str, int], buckets: int) -> None:
    groups = group_videos(planned, buckets)
    assert list(groups.items()) == list(group_videos(dict(reversed(planned.items())), buckets).items())
    assert list(groups) == sorted(groups)
    assert all(videos == sorted(videos) for videos in groups.values())


def test_the_groups_of_given_videos_never_change() -> None:
    # What sha256sum says of the ids: other group names would orphan every shard of every workspace.
    assert group_videos({"P01_01": 499, "P01_02": 500, "ü": 0}, 16) == {
        "b0014": ["P01_01"],
        "b0015": ["ü"],
        "vda130469796b80b2": ["P01_02"],
    }
