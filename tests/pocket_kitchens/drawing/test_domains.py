from __future__ import annotations

from pocket_kitchens.drawing.domains import EGO4D, EPIC, ON_CONTAINERS, REVERSED


def test_the_domains_share_16_nouns_and_8_verbs_and_have_12_and_5_of_their_own() -> None:
    nouns, verbs = set(EPIC.nouns) & set(EGO4D.nouns), set(EPIC.verbs) & set(EGO4D.verbs)
    assert (len(nouns), len(set(EPIC.nouns)), len(set(EGO4D.nouns))) == (16, 28, 28)
    assert (len(verbs), len(set(EPIC.verbs)), len(set(EGO4D.verbs))) == (8, 13, 13)
    assert len(set(EPIC.nouns) | set(EGO4D.nouns)) == 40
    assert len(set(EPIC.verbs) | set(EGO4D.verbs)) == 18


def test_four_pairs_of_verbs_are_each_others_reversal_and_stand_together_in_a_domain() -> None:
    assert len(REVERSED) == 4
    for domain in (EPIC, EGO4D):
        for one, other in REVERSED.items():
            assert (one in domain.verbs) == (other in domain.verbs)
    assert {"open", "close"} <= ON_CONTAINERS <= set(EPIC.verbs) | set(EGO4D.verbs)
