"""The one exception that is meant for the person at the keyboard."""

from __future__ import annotations


class UserError(Exception):
    """One line that says what was got, what is needed and what to do; the command line prints it, exit 2."""
