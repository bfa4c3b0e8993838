from __future__ import annotations

import pytest

from pocket_kitchens.drawing.domains import EGO4D, EPIC, ON_CONTAINERS, Domain
from pocket_kitchens.drawing.objects import is_container
from pocket_kitchens.drawing.spec import ClipSpec
from pocket_kitchens.world import (
    INSTANCES,
    SIZES,
    TEST_ONLY,
    PlannedVideo,
    Size,
    allowed_pairs,
    noun_predicts_verb,
    plan_world,
)

DOMAINS = pytest.mark.parametrize("domain", [EPIC, EGO4D], ids=lambda domain: domain.name)


def _clips(videos: list[PlannedVideo], split: str) -> list[ClipSpec]:
    return [clip for video in videos if video.split == split for clip in video.clips]


@DOMAINS
@pytest.mark.parametrize("size", ["demo", "full"])
def test_a_world_has_as_many_clips_as_its_size_says_in_videos_of_at_most_ten(domain: Domain, size: str) -> None:
    videos = plan_world(domain, SIZES[size], 0)
    assert (len(_clips(videos, "train")), len(_clips(videos, "test"))) == (SIZES[size].train, SIZES[size].test)
    assert all(1 <= len(video.clips) <= 10 for video in videos)
    assert len({(video.person, video.number) for video in videos}) == len(videos)
    assert max(video.person for video in videos) < 100


@DOMAINS
def test_the_demo_world_has_enough_test_recordings_for_intervals(domain: Domain) -> None:
    videos = plan_world(domain, SIZES["demo"], 0)
    assert sum(video.split == "test" for video in videos) >= 30


@DOMAINS
def test_people_kitchens_and_instances_of_training_and_test_are_disjoint(domain: Domain) -> None:
    videos = plan_world(domain, Size(400, 300), 0)
    train, test = _clips(videos, "train"), _clips(videos, "test")
    for what in ("kitchen", "person"):
        assert not {getattr(clip, what) for clip in train} & {getattr(clip, what) for clip in test}
    instances = [
        {number for clip in clips for number in (clip.instance, *(n for _, n in clip.distractors))}
        for clips in (train, test)
    ]
    assert not instances[0] & instances[1]
    assert not set(INSTANCES["pretraining"]) & (instances[0] | instances[1])


@DOMAINS
def test_a_fifth_of_the_pairs_occurs_in_test_only(domain: Domain) -> None:
    videos = plan_world(domain, Size(20_000, 20_000), 0)
    train, test = ({(clip.verb, clip.noun) for clip in _clips(videos, split)} for split in ("train", "test"))
    pairs = set(allowed_pairs(domain))
    assert train < pairs
    assert test == pairs
    assert len(test - train) / len(pairs) == pytest.approx(TEST_ONLY, abs=0.02)
    assert {verb for verb, _ in train} == set(domain.verbs)
    assert {noun for _, noun in train} == set(domain.nouns)


@DOMAINS
def test_distractors_are_three_to_seven_other_nouns_of_the_domain(domain: Domain) -> None:
    for clip in _clips(plan_world(domain, Size(100, 50), 1), "train"):
        kinds = [kind for kind, _ in clip.distractors]
        assert 3 <= len(set(kinds)) == len(kinds) <= 7
        assert clip.noun not in kinds
        assert set(kinds) <= set(domain.nouns)


def test_only_containers_are_opened_and_closed() -> None:
    for verb, noun in allowed_pairs(EPIC):
        assert verb not in ON_CONTAINERS or is_container(noun)
    assert sum(is_container(noun) for noun in EPIC.nouns) >= 4
    assert sum(is_container(noun) for noun in EGO4D.nouns) >= 4


def test_the_same_seed_plans_the_same_world_and_another_seed_another() -> None:
    size = Size(30, 20)
    assert plan_world(EPIC, size, 3) == plan_world(EPIC, size, 3)
    assert plan_world(EPIC, size, 3) != plan_world(EPIC, size, 4)
    assert plan_world(EPIC, size, 3) != plan_world(EGO4D, size, 3)


@DOMAINS
def test_the_noun_alone_says_little_of_the_verb(domain: Domain) -> None:
    share = noun_predicts_verb(plan_world(domain, SIZES["full"], 0))
    assert 100 / len(domain.verbs) < share < 35


def test_some_annotations_run_into_the_next_clip_and_none_past_the_video() -> None:
    videos = plan_world(EPIC, Size(200, 50), 0)
    assert sum(overlap > 0 for video in videos for overlap in video.overlaps) > 30
    assert all(video.overlaps[-1] == 0 for video in videos)
