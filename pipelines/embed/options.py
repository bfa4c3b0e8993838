"""Options of ``xmic embed`` and of ``[embed]``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Le

from data_manifests.errors import UsageError
from pipelines.decode.options import PLAN
from pipelines.engine.options import CommandOnly, Doc, FileOnly, Group, Options
from pipelines.engine.precision import Precision
from pipelines.hands.options import CropFit

Streams = Literal["full", "hand", "both"]
Names = Literal["official", "fixed", "synonyms"]
"""Which texts stand for a class: its official name, the one with its slips mended, or all of its texts together."""

_CROP = "Hand crops"


@dataclass(frozen=True)
class EmbedOptions(Options):
    """What one encoder embeds, and of which pictures.

    ``streams`` None is both, and in a chain full where no hands are detected; ``hand_threshold`` and ``crop_margin``
    None are what fits the boxes; ``clip_frames`` None makes no vectors of clips.
    """

    encoder: Annotated[str, Doc("FAMILY:MODEL/TAG or FAMILY:MODEL=FILE, e.g. open_clip:ViT-B-16/openai.")]
    streams: Annotated[Streams | None, Doc("Full frames, hand crops or both. (default: both)")] = None
    text: Annotated[bool, CommandOnly("training needs the class names"), Doc("Embed the class names too.")] = True
    prompt: Annotated[str, Doc("Text around a class name, {} where it goes.")] = "{}"
    names: Annotated[Names, Doc("Class names; fixed: slips mended, synonyms: mean over all of a class.")] = "official"
    precision: Annotated[Precision, Doc("Of the encoder; auto goes by the hardware.")] = "auto"
    batch_size: Annotated[int, Ge(1), Doc("Frames per forward pass; fixed, the last one is padded.")] = 16
    detector: Annotated[
        str | None,
        CommandOnly("a chain has the boxes of its [hands]"),
        Group(_CROP),
        Doc("Whose boxes (folder name). (default: the only one)"),
    ] = None
    hand_threshold: Annotated[
        float | None,
        Ge(0),
        Le(1),
        Group(_CROP),
        Doc("Least score of a hand. (default: what fits the packaged model; 0.8 for epic-100doh, else 0.5)"),
    ] = None
    object_threshold: Annotated[float, Ge(0), Le(1), Group(_CROP), Doc("Least score of a touched object.")] = 0.01
    crop_margin: Annotated[
        float | None,
        Ge(0),
        Le(2),
        Group(_CROP),
        Doc("Margin around the union box, share of its longer side. (default: the packaged model's, else 0)"),
    ] = None
    crop_fit: Annotated[CropFit, Group(_CROP), Doc("center: as it is, ends cut off; pad: made square.")] = "center"
    allow_random_weights: Annotated[bool, Doc("Accept a model without trained weights (tests only).")] = False
    plan: Annotated[str | None, CommandOnly("a chain decodes every split by one plan"), Doc(PLAN)] = None
    clip_frames: Annotated[
        int | None,
        Ge(1),
        Doc(
            "Also one vector per clip, of so many of its frames: 16, or 4 (segments 3, 7, 11 and 15 of 16). Only "
            "lavila."
        ),
    ] = None
    v2: Annotated[str | None, FileOnly("xmic embed takes one encoder at a time"), Doc("Second encoder V_II.")] = None

    def check(self) -> None:
        """Refuse a prompt without one place for the class name."""
        check_prompt(self.prompt)


def check_prompt(prompt: str) -> None:
    """Refuse a prompt without one place for the class name.

    Raises:
        UsageError: it has not exactly one ``{}``.
    """
    if prompt.count("{}") != 1 or prompt.replace("{}", "").count("{"):
        raise UsageError(f"--prompt {prompt!r}: expected one {{}} where the class name goes, as in 'Image of a {{}}'")
