"""`python -m whisp.server`: run a server with the settings of the environment."""

import sys

from whisp.server.errors import StartError
from whisp.server.serve import serve


def main() -> int:
    """Run until stopped; 1 if it cannot start."""
    try:
        serve()
    except StartError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
