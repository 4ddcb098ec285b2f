"""Errors a user can act on."""


class UserError(Exception):
    """Something the user can put right: one sentence saying what, where and what to do.

    The command line prints it without a traceback and exits with code 2. It ends a run, where a
    failure of one item does not.
    """
