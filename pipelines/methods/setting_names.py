"""Find the setting that a user means by another name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_ELSEWHERE = {
    "lr": "learning_rate learn_rate rate base_lr max_lr peak_lr initial_lr alpha",
    "batch": "batch_size batchsize bs train_batch_size clips_per_step",
    "epochs": "epoch num_epochs n_epochs max_epochs max_epoch train_epochs",
    "weight_decay": "wd decay weightdecay l2",
    "optimiser": "optimizer optim opt",
    "schedule": "scheduler lr_scheduler lr_schedule learning_rate_schedule",
    "warmup_epochs": "warmup warm_up warmup_epoch warm_up_epochs num_warmup_epochs",
    "warmup_lr": "warmup_learning_rate warmup_cons_lr",
    "betas": "beta beta1 beta2 adam_betas",
}
_OURS = {theirs: ours for ours, names in _ELSEWHERE.items() for theirs in names.split()}


def setting_meant(name: str, known: Iterable[str]) -> str | None:
    """Return the setting that other programs call by this name.

    Case and '-' do not matter. None where no setting is meant for certain.
    """
    plain = name.strip().lower().replace("-", "_")
    ours = _OURS.get(plain, plain)
    return ours if ours in set(known) else None


def nearest_setting(name: str, known: Iterable[str]) -> str | None:
    """Return the setting whose name is nearest, or None."""
    names = list(known)
    near = difflib.get_close_matches(name.lower(), [*names, *_OURS], n=1)
    return setting_meant(near[0], names) if near else None
