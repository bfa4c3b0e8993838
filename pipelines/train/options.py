"""Options of ``xmic train`` and of ``[[train]]``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal

from annotated_types import Ge, Le

from pipelines.decode.options import PLAN
from pipelines.embed.options import Names, Streams, check_prompt
from pipelines.engine.options import (
    LARGEST_SEED,
    Argument,
    CommandOnly,
    Completes,
    Doc,
    Flag,
    Group,
    Metavar,
    Options,
    Pairs,
)
from pipelines.train.policy import RecipeName, Select, SelectionPolicy, parse_percent

if TYPE_CHECKING:
    from data_manifests.schema import Label

Classified = Literal["full", "hand", "clip"]
TrackerName = Literal["tensorboard", "wandb", "mlflow"]
TrainPrecision = Literal["fp32", "bf16"]

_PROTOCOL = Group("Protocol (shared by all methods of a comparison)")
_SELECTION = Group("Recipe and selection (how a method is trained and which epoch is kept)")
_OF_EMBED = CommandOnly("a chain takes it from [embed]")


@dataclass(frozen=True, kw_only=True)
class ProtocolChoice(Options):
    """Protocol settings that the user gives; None is filled in.

    They are filled in from the method and the workspace.
    """

    encoder: Annotated[
        str | None, Completes("encoders"), _OF_EMBED, _PROTOCOL, Doc("Classifying encoder. (default: the only one)")
    ] = None
    v2: Annotated[
        str | None, Completes("encoders"), _OF_EMBED, _PROTOCOL, Doc("Second encoder V_II. (default: the same)")
    ] = None
    streams: Annotated[Streams | None, _PROTOCOL, Doc("Streams that condition the classifier. (default: both)")] = None
    classify: Annotated[Classified | None, _PROTOCOL, Doc("Stream that is classified. (default: the preset's)")] = None
    hands: Annotated[
        str | None,
        CommandOnly("a chain has one hand stream"),
        _PROTOCOL,
        Doc("Hand stream (folder name). (default: the only one)"),
    ] = None
    plan: Annotated[str | None, CommandOnly("a chain decodes every split by one plan"), _PROTOCOL, Doc(PLAN)] = None
    prompt: Annotated[str, _OF_EMBED, _PROTOCOL, Doc("Prompt of the class names.")] = "{}"
    names: Annotated[Names, _OF_EMBED, _PROTOCOL, Doc("Class names, as for xmic embed.")] = "official"

    def check(self) -> None:
        """Refuse a prompt without one place for the class name."""
        check_prompt(self.prompt)


@dataclass(frozen=True)
class TrainOptions(ProtocolChoice):
    """Options of a run: one method, configuration and seed on one dataset.

    Blank protocol settings are filled in from what is embedded.
    """

    dataset: Annotated[
        str | None,
        Argument(),
        Completes("datasets"),
        Metavar("DATASET"),
        Doc("Dataset to train on. (default: the only one with a train split)"),
    ] = None
    method: Annotated[str, Completes("methods"), Doc("A method that xmic methods lists, or package.module:Class.")] = (
        "xmic"
    )
    preset: Annotated[str, Completes("presets"), Doc("Preset of the method: official, xmic-code or paper.")] = (
        "official"
    )
    set: Annotated[
        Mapping[str, Any],
        Flag("--set"),
        Pairs("KEY=VALUE", "epochs=5"),
        Doc("One setting, e.g. epochs=5; may be repeated."),
    ] = field(default_factory=dict)
    label: Annotated[Literal["noun", "verb", "both"], Doc("Heads to train.")] = "both"
    seed: Annotated[int, Ge(0), Le(LARGEST_SEED), Doc("Seed of weights, order and frame draws.")] = 0
    precision: Annotated[
        TrainPrecision, Doc("fp32 (without TF32) or bf16: autocast, with classifier and loss in fp32.")
    ] = "fp32"
    recipe: Annotated[
        RecipeName, _SELECTION, Doc("published: the method's own; matched: the same learning rates tried for all.")
    ] = "published"
    source_val: Annotated[
        str | float | None,
        _SELECTION,
        Metavar("P%"),
        Doc("Percentage of the training recordings to hold out. (default: none; 10% with matched)"),
    ] = None
    select: Annotated[Select, _SELECTION, Doc("Epoch to keep; target leaks labels of the target.")] = "last"
    target: Annotated[
        str | None,
        _SELECTION,
        Completes("datasets"),
        Metavar("DATASET[:SPLIT]"),
        Doc("Labelled clips that --select target chooses by."),
    ] = None
    fixed_frames: Annotated[bool, _PROTOCOL, Doc("Train on segment centres.")] = False
    checkpoint_minutes: Annotated[
        float | None, Ge(0), Doc("Minutes between saves of the state, besides those at each epoch.")
    ] = None
    log: Annotated[
        tuple[TrackerName, ...],
        Doc("Also log each epoch to a tracker; may be repeated, or several with commas. See docs/tracking.md."),
    ] = ()
    time_limit: Annotated[
        float | None,
        Ge(0),
        CommandOnly("a chain is stopped by a signal"),
        Doc("Minutes after which the state is saved and training stops (exit 130)."),
    ] = None

    def check(self) -> None:
        """Refuse a wrong prompt, and a contradictory selection."""
        super().check()
        self.policy  # noqa: B018

    @property
    def labels(self) -> tuple[Label, ...]:
        """Heads to train: noun, verb or both."""
        return ("noun", "verb") if self.label == "both" else (self.label,)

    @property
    def policy(self) -> SelectionPolicy:
        """Recipe, held-out recordings and choice of the epoch."""
        held_out = None if self.source_val is None else parse_percent(self.source_val)
        return SelectionPolicy(self.recipe, held_out, self.select, self.target)
