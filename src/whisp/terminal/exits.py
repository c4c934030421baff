"""Exit codes, and the one sentence each error is told with.

| code | meaning |
|---|---|
| 0 | done |
| 1 | it failed |
| 2 | the command line asks for something that cannot be done, or there is no account here yet |
| 3 | user not found or offline |
| 4 | declined, busy, or no answer |
| 5 | a key is not the one that was known, or the call was stopped because a check failed |
| 6 | the vault: wrong passphrase, damaged, in use, or already there |
| 7 | the server cannot be reached |
| 130 | interrupted |
"""

from enum import IntEnum

from whisp.wire.errors import WhispError

__all__ = ["Exit", "UsageError", "explain"]


class Exit(IntEnum):
    """What the process says to its caller."""

    OK = 0
    FAILURE = 1
    USAGE = 2
    NOT_FOUND = 3
    NO_CALL = 4
    KEY_CHANGED = 5
    VAULT = 6
    UNREACHABLE = 7
    INTERRUPTED = 130


class UsageError(WhispError):
    """The command line asks for something that makes no sense here."""


def explain(error: BaseException) -> tuple[Exit, str]:
    """Return the exit code and the sentence for `error`, inert and on one line.

    An error that is not ours is a bug: its own text could hold anything, so it is never shown.
    """
    from whisp.client import errors
    from whisp.terminal import words
    from whisp.terminal.inert import inert_line

    match error:
        case KeyboardInterrupt():
            return Exit.INTERRUPTED, "Interrupted."
        case UsageError():
            return Exit.USAGE, inert_line(str(error))
        case errors.NotRegisteredError() | errors.VaultMissingError():
            return Exit.USAGE, words.NO_ACCOUNT
        case errors.NotFoundError():
            return Exit.NOT_FOUND, words.NOT_FOUND
        case errors.CallError():
            return Exit.NO_CALL, inert_line(str(error))
        case errors.IdentityError():
            return Exit.KEY_CHANGED, inert_line(str(error))
        case errors.VaultError():
            return Exit.VAULT, inert_line(str(error))
        case errors.ServerUnreachableError():
            return Exit.UNREACHABLE, words.SERVER_DOWN
        case errors.UsernameTakenError():
            return Exit.FAILURE, words.NAME_TAKEN
        case errors.InvalidUsernameError():
            return Exit.FAILURE, words.NAME_RULE
        case errors.RateLimitedError():
            return Exit.FAILURE, words.try_again(error.retry_after)
        case WhispError():
            return Exit.FAILURE, inert_line(" ".join(str(error).splitlines()), limit=1000)
        case OSError() if error.strerror:
            return Exit.FAILURE, inert_line(f"{error.strerror}.")
        case _:
            return Exit.FAILURE, "Something went wrong inside Whisp. Run again with --debug to see where."
