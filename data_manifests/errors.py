"""Errors a user can act on, each with an exit code.

The exit codes are part of the command line's public contract. They are 0 done, 1 a bug of ours, 2 usage,
3 bad input, configuration, disk or lock, 4 too many failures, 5 an upstream artifact is missing,
130 interrupted with the state saved.
"""

from __future__ import annotations


class XmicError(Exception):
    """Base of all errors that a user can act on.

    Any other exception is a bug of ours. The text of an error is written for the user.
    """

    exit_code = 3


class UsageError(XmicError):
    """Error in the call: unknown names, missing or contradictory options."""

    exit_code = 2


class InputError(XmicError):
    """Error in a file, row, configuration, disk or lock."""

    exit_code = 3


class TooManyFailures(XmicError):
    """Error when more rows failed than ``--max-failures`` allows."""

    exit_code = 4


class MissingUpstream(XmicError):
    """Error when an artifact of an earlier stage is missing.

    The text names the command that makes the artifact.
    """

    exit_code = 5


class Interrupted(XmicError):
    """Error when a signal or a time limit stopped the work.

    The work done so far is saved.
    """

    exit_code = 130
