"""Errors a user can act on, each with the exit code of the command that meets it.

The codes are the public contract of the command line: 0 done, 1 a bug of ours, 2 usage,
3 bad input, configuration, disk or lock, 4 too many failures, 5 an upstream artifact is missing,
130 interrupted with the state saved.
"""

from __future__ import annotations


class XmicError(Exception):
    """Base of every error that is not a bug of ours; its text is written for the user."""

    exit_code = 3


class UsageError(XmicError):
    """The call itself is wrong: unknown names, missing or contradictory options."""

    exit_code = 2


class InputError(XmicError):
    """A file, row, configuration, disk or lock is not as it must be."""

    exit_code = 3


class TooManyFailures(XmicError):
    """More rows failed than ``--max-failures`` allows."""

    exit_code = 4


class MissingUpstream(XmicError):
    """An artifact of an earlier stage is missing; the text names the command that makes it."""

    exit_code = 5


class Interrupted(XmicError):
    """The work was stopped by a signal or a time limit; what was done is saved."""

    exit_code = 130
