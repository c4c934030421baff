"""The `whisp` command."""

import gc
import os
import resource
import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line and exit with its code."""
    prepare()
    gc.disable()  # imports make no garbage, and looking for some costs a fifth of the start
    from whisp.terminal.cli import run

    gc.freeze()
    gc.enable()
    sys.exit(run(sys.argv[1:]))


def prepare() -> None:
    """Close what could write memory to disk or act on it: core files, and the toolkit's debug variables.

    Textual reads its variables when it is imported: they can log every event to a file, save a picture of the
    screen, load a driver, or press keys.
    """
    for name in [name for name in os.environ if name == "TEXTUAL" or name.startswith("TEXTUAL_")]:
        del os.environ[name]
    os.environ.pop("PYTHONASYNCIODEBUG", None)
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (OSError, ValueError):
        return  # a sandbox forbids it; then it likely forbids core files too


if __name__ == "__main__":
    main()
