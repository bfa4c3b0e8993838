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
"""Texts of a class: its official name, the name with its slips corrected, or all of its texts together."""

_CROP = "Hand crops"


@dataclass(frozen=True)
class EmbedOptions(Options):
    """Encoder of one call, and the frames and names to embed.

    ``streams`` None is both, but full in a chain that detects no hands. ``hand_threshold`` and ``crop_margin`` None are
    the values that fit the boxes. ``clip_frames`` None makes no vectors of clips.
    """

    encoder: Annotated[str, Doc("FAMILY:MODEL/TAG or FAMILY:MODEL=FILE, e.g. open_clip:ViT-B-16/openai.")]
    streams: Annotated[Streams | None, Doc("Full frames, hand crops or both. (default: both)")] = None
    text: Annotated[bool, CommandOnly("training needs the class names"), Doc("Embed the class names too.")] = True
    prompt: Annotated[str, Doc("Text around a class name, with {} in place of the name.")] = "{}"
    names: Annotated[Names, Doc("Class names; fixed: slips corrected; synonyms: mean over all names.")] = "official"
    precision: Annotated[Precision, Doc("Precision of the encoder; auto chooses by the hardware.")] = "auto"
    batch_size: Annotated[int, Ge(1), Doc("Frames per forward pass; fixed, the last one is padded.")] = 16
    detector: Annotated[
        str | None,
        CommandOnly("a chain has the boxes of its [hands]"),
        Group(_CROP),
        Doc("Detector of the boxes (folder name). (default: the only one)"),
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
    crop_fit: Annotated[
        CropFit, Group(_CROP), Doc("center: ends of a long crop are cut off; pad: it is made square.")
    ] = "center"
    allow_random_weights: Annotated[bool, Doc("Accept a model without trained weights (tests only).")] = False
    plan: Annotated[str | None, CommandOnly("a chain decodes every split by one plan"), Doc(PLAN)] = None
    clip_frames: Annotated[
        int | None,
        Ge(1),
        Doc(
            "Also make one vector per clip, of this many of its frames: 16, or 4 (segments 3, 7, 11 and 15 of 16). "
            "Only lavila."
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
