"""Options of ``xmic embed`` and of ``[embed]``, and those of ``xmic import-features``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from annotated_types import Ge, Gt, Le

from data_manifests.errors import UsageError
from pipelines.decode.options import PLAN
from pipelines.engine.options import (
    Argument,
    CommandOnly,
    Completes,
    Doc,
    FileOnly,
    Group,
    Metavar,
    NumberOr,
    Options,
)
from pipelines.engine.precision import Precision
from pipelines.hands.options import CropFit

if TYPE_CHECKING:
    from data_manifests.schema import Label

ImportedStream = Literal["full", "hand"]
Streams = Literal["full", "hand", "both"]
Names = Literal["official", "fixed", "synonyms"]
"""Texts of a class: its official name, the name with its slips corrected, or all of its texts together."""

_CROP = "Hand crops"


@dataclass(frozen=True)
class EmbedOptions(Options):
    """Encoder of one call, and the frames and names to embed.

    ``streams`` None is both, but full in a chain that detects no hands. ``hand_threshold`` and ``crop_margin`` None are
    the values that fit the boxes. ``batch_size`` None is the size of vectors that the encoder made before of these
    datasets, or else the one that is fast for it. 'auto' differs on a GPU only: without earlier vectors the size is
    found by trying, and a size that does not fit is halved. ``clip_frames`` None makes no vectors of clips.
    """

    encoder: Annotated[
        str, Completes("encoders"), Doc("FAMILY:MODEL/TAG or FAMILY:MODEL=FILE, e.g. open_clip:ViT-B-16/openai.")
    ]
    streams: Annotated[Streams | None, Doc("Full frames, hand crops or both. (default: both)")] = None
    text: Annotated[bool, CommandOnly("training needs the class names"), Doc("Embed the class names too.")] = True
    prompt: Annotated[str, Doc("Text around a class name, with {} in place of the name.")] = "{}"
    names: Annotated[Names, Doc("Class names; fixed: slips corrected; synonyms: mean over all names.")] = "official"
    precision: Annotated[Precision, Doc("Precision of the encoder; auto chooses by the hardware.")] = "auto"
    batch_size: Annotated[
        int | str | None,
        NumberOr("auto", least=1),
        Doc(
            "Frames per forward pass; fixed, the last one is padded. auto: as before, or what a GPU is found to be "
            "fastest with. (default: as before, or by the encoder)"
        ),
    ] = None
    compile: Annotated[
        bool, Doc("Compile the image tower (torch.compile): minutes at the start, faster on a GPU; recorded.")
    ] = False
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
        Doc(
            "Least score of a hand. (default: what fits the packaged model; 0.8 for epic-100doh, 0.1 for mediapipe, "
            "else 0.5)"
        ),
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


@dataclass(frozen=True, kw_only=True)
class ImportFeaturesOptions(Options):
    """Files of vectors made elsewhere, and what they are of.

    ``nearest_within`` None is 1 ms, and a frame without a row that near is refused. ``logit_scale`` None is the one in
    the file of class vectors.
    """

    dataset: Annotated[str, Argument(), Completes("datasets"), Doc("A prepared dataset.")]
    split: Annotated[str | None, Completes("splits"), Doc("Split of the vectors: train, val or test.")] = None
    name: Annotated[str | None, Doc("Name of their encoder; the same for every split and dataset.")] = None
    vectors: Annotated[Path | None, Doc("Frame vectors: .npy, .npz or .pt (never executed); needs --split.")] = None
    keys: Annotated[Path | None, Doc("Table with one row per vector, for a file of vectors only.")] = None
    stream: Annotated[ImportedStream, Doc("Vectors of full frames or of hand crops.")] = "full"
    nearest_within: Annotated[
        float | None,
        Ge(0),
        Metavar("SECONDS"),
        Doc("Longest time between a frame and its nearest row. (default: 1 ms, else refused)"),
    ] = None
    text: Annotated[
        tuple[str, ...],
        Metavar("noun=FILE"),
        Doc("Class vectors with their names; once for noun and once for verb."),
    ] = ()
    logit_scale: Annotated[float | None, Gt(0), Doc("Factor by which their encoder multiplies cosines.")] = None
    plan: Annotated[str | None, Doc(PLAN)] = None
    list_frames: Annotated[bool, Doc("Print the frames of --split that need vectors, as CSV.")] = False

    def check(self) -> None:
        """Refuse vectors without split, encoder or label."""
        if (self.vectors or self.list_frames) and not self.split:
            raise UsageError("--split is missing: train, val or test.")
        _ = self.texts
        if self.list_frames:
            return
        if not self.vectors and not self.text:
            raise UsageError("nothing to import: name --vectors FILE, --text noun=FILE, or both.")
        if not self.name:
            raise UsageError("--name is missing: what to call the encoder of these vectors.")

    @property
    def texts(self) -> list[tuple[Label, Path]]:
        """Label and file of each ``--text``.

        Raises:
            UsageError: a text is not of the form noun=FILE or verb=FILE, or two are of one label.
        """
        found: list[tuple[Label, Path]] = []
        for item in self.text:
            word, equals, file = item.partition("=")
            if word not in ("noun", "verb") or not equals:
                raise UsageError(f"--text {item}: expected noun=FILE or verb=FILE")
            label: Label = "noun" if word == "noun" else "verb"
            before = next((path for other, path in found if other == label), None)
            if before is not None:
                raise UsageError(f"--text {word}={before} and --text {item}: one file for {word}; leave one out")
            found.append((label, Path(file)))
        return found
