"""How the web app gets built: when it must be, with which Node, and what is said when it cannot be.

Node and npm are stand-ins here that write down what they were asked; ./test builds the real app.
"""

import gzip
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.test_house import ROOT

NPM = """#!/bin/sh
echo "npm $*" >> "$LOG"
case "$*" in
    ci*) mkdir -p node_modules ;;
    *build*)
        [ -z "${FAIL-}" ] || { echo "app/main.ts: it does not fit"; exit 2; }
        mkdir -p "$TOP/web/dist/assets"
        cat "$TOP/web/app/main.ts" > "$TOP/web/dist/assets/main-01234567.js"
        echo '<!doctype html>' > "$TOP/web/dist/index.html"
        ;;
esac
"""

PIP = """#!/bin/sh
echo "pip $*" >> "$LOG"
[ -z "${OFFLINE-}" ] || exit 1
printf '%s' "$NPM" > "$TOP/.venv/bin/npm"
printf '#!/bin/sh\\nexit 0\\n' > "$TOP/.venv/bin/node"
chmod +x "$TOP/.venv/bin/npm" "$TOP/.venv/bin/node"
"""


NODE = shutil.which("node") or str(Path(sys.executable).with_name("node"))


class Checkout:
    """A tree with a little of everything the build reads, and tools of our own."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self.tools = top / "tools"
        self.log = top / "log"
        for folder in (
            "requirements",
            "src/whisp",
            "web/app",
            "web/client",
            "web/core",
            ".venv/bin",
            "tools",
        ):
            (top / folder).mkdir(parents=True)
        shutil.copy(ROOT / "requirements/environment.sh", top / "requirements/environment.sh")
        for name in ("package.json", "package-lock.json", "vite.config.ts"):
            (top / "web" / name).write_text("{}")
        for tool in (
            "cat",
            "cksum",
            "cmp",
            "cp",
            "find",
            "flock",
            "gzip",
            "mkdir",
            "mv",
            "rm",
            "sh",
            "sort",
            "chmod",
        ):
            (self.tools / tool).symlink_to(str(shutil.which(tool)))
        self.write("main.ts", "one")
        self.tool(".venv/bin/python", PIP)

    def write(self, name: str, text: str) -> None:
        """Write a file of the app."""
        (self.top / "web/app" / name).write_text(text)

    def tool(self, name: str, script: str) -> None:
        """Put a program somewhere."""
        (self.top / name).write_text(script)
        (self.top / name).chmod(0o755)

    def has_node(self, version: str) -> None:
        """Give the machine a Node of this version, which can tell it, and npm."""
        self.tool(
            "tools/node",
            f"""#!/bin/sh
            exec {NODE} -e 'Object.defineProperty(process, "versions", {{value: {{node: "{version}"}}}});'"$2"
            """.replace("            ", ""),
        )
        self.tool("tools/npm", NPM)

    def build(self, **environment: str) -> subprocess.CompletedProcess[str]:
        """Do what ./run does before the server starts."""
        return subprocess.run(
            ["sh", "-euc", 'top=$TOP; . "$top/requirements/environment.sh"; web_app'],
            env={
                "PATH": str(self.tools),
                "TOP": str(self.top),
                "LOG": str(self.log),
                "NPM": NPM,
                **environment,
            },
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    def asked(self) -> list[str]:
        """Return what was asked of npm and pip since the last time."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        self.log.unlink(missing_ok=True)
        return [" ".join(line.split()[:2]) for line in lines]

    @property
    def served(self) -> str | None:
        """What would be served."""
        script = self.top / "src/whisp/web_app/assets/main-01234567.js"
        return script.read_text() if script.exists() else None


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """A fresh checkout."""
    return Checkout(tmp_path)


def test_the_first_start_builds_and_the_second_does_nothing(checkout: Checkout) -> None:
    checkout.has_node("24.1.0")
    first = checkout.build()
    assert (first.returncode, checkout.served) == (0, "one")
    assert checkout.asked() == ["npm ci", "npm --prefix"]
    served = checkout.top / "src/whisp/web_app"
    assert gzip.decompress((served / "assets/main-01234567.js.gz").read_bytes()) == b"one"
    second = checkout.build()
    assert (second.returncode, second.stderr, checkout.asked()) == (0, "", [])


@pytest.mark.parametrize("name", ["main.ts", "another.vue"])
def test_a_change_is_built(checkout: Checkout, name: str) -> None:
    checkout.has_node("22.12.0")
    checkout.build()
    checkout.asked()
    checkout.write(name, "two")
    assert checkout.build().returncode == 0
    assert checkout.asked() == ["npm --prefix"]
    assert checkout.served == ("two" if name == "main.ts" else "one")


def test_other_packages_are_fetched_and_built_with(checkout: Checkout) -> None:
    checkout.has_node("20.19.0")
    checkout.build()
    checkout.asked()
    (checkout.top / "web/package-lock.json").write_text("{ }")
    checkout.build()
    assert checkout.asked() == ["npm ci", "npm --prefix"]


@pytest.mark.parametrize("version", ["18.20.0", "20.18.3", "21.7.0", "22.11.0", None])
def test_without_a_node_that_fits_the_locked_one_is_taken(checkout: Checkout, version: str | None) -> None:
    if version is not None:
        checkout.has_node(version)
    assert checkout.build().returncode == 0
    assert checkout.asked() == ["pip -m", "npm ci", "npm --prefix"]
    assert checkout.served == "one"


def test_without_node_and_network_it_says_what_to_do(checkout: Checkout) -> None:
    built = checkout.build(OFFLINE="1")
    assert (built.returncode, checkout.served) == (1, None)
    assert "install" in built.stderr
    assert built.stderr.endswith(
        "Without the web app, a server starts all the same: WHISP_WEB_APP=none ./run\n"
    )


def test_a_build_that_fails_says_why_and_leaves_the_old_one(checkout: Checkout) -> None:
    checkout.has_node("24.1.0")
    checkout.build()
    checkout.write("main.ts", "two")
    built = checkout.build(FAIL="1")
    assert (built.returncode, checkout.served) == (1, "one")
    assert "app/main.ts: it does not fit" in built.stderr
    assert checkout.build().returncode == 0
    assert checkout.served == "two"


def test_two_starts_at_once_build_once(checkout: Checkout) -> None:
    checkout.has_node("24.1.0")
    with ThreadPoolExecutor(2) as pool:
        codes = list(pool.map(lambda _: checkout.build().returncode, range(2)))
    assert codes == [0, 0]
    assert checkout.asked() == ["npm ci", "npm --prefix"]
