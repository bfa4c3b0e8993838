from __future__ import annotations

import pytest

from pipelines.evaluate.metrics_file import Metrics
from pipelines.report.paper_match import variants
from pipelines.report.table_commands import to_begin, to_fill, to_train
from pipelines.report.table_groups import Group
from tests.pipelines.report.evaluations import both

RUN = Metrics.model_validate(both()[0]).run
EMBED = "xmic embed --encoder lavila:CLIP_OPENAI_TIMESFORMER_LARGE=FILE --clip-frames 16"


@pytest.mark.parametrize(
    ("setting", "command"),
    [
        ("", "xmic train ego4d"),
        ("v2=dino", "xmic train ego4d --v2 timm:vit_large_patch14_dinov2.lvd142m"),
        ("streams=hand", "xmic train ego4d --streams hand"),
        ("norms=n1 n3", "xmic train ego4d --set n3=true"),
        ("norms=none", "xmic train ego4d --set n1=false"),
        (
            "encoder=Lavila ViT-L/14",
            f"{EMBED} && xmic train ego4d --encoder lavila:CLIP_OPENAI_TIMESFORMER_LARGE=FILE --classify clip",
        ),
        ("prompt=A {}", "xmic embed --encoder NAME --prompt 'A {}' && xmic train ego4d --prompt 'A {}'"),
    ],
)
def test_a_row_of_the_paper_is_trained_by_its_setting(setting: str, command: str) -> None:
    assert to_train("ego4d", "xmic", setting) == command


@pytest.mark.parametrize("table", range(1, 8))
def test_every_row_and_table_of_the_paper_has_a_command(table: int) -> None:
    assert all("xmic train" in to_train("a b", *row) for row in variants(table))
    assert to_begin(table, RUN, "ego4d", crossed=False).startswith("xmic ")


def test_shared_and_novel_of_a_cross_evaluation_lack_the_source_s_classes() -> None:
    assert to_begin(2, RUN, "ego4d", crossed=False) == "xmic evaluate xmic-ego4d-s0 --cross DATASET"
    command = "xmic prepare ego4d --annotations FOLDER && xmic evaluate xmic-ego4d-s0 --cross DATASET"
    assert to_begin(2, RUN, "ego4d", crossed=True) == command


def test_what_a_run_lacks_is_evaluated_seed_by_seed_and_a_head_trained() -> None:
    own, _ = both("coop")
    del own["labels"]["verb"]
    again, _ = both("coop", seed=1)
    del again["labels"]["verb"]
    group = Group([(Metrics.model_validate(one), None) for one in (own, again)])
    assert to_fill(group, "my epic") == [
        "xmic evaluate coop-ego4d-s0 --cross 'my epic'",
        "xmic evaluate coop-ego4d-s1 --cross 'my epic'",
        "xmic train ego4d --method coop --label verb",
    ]
