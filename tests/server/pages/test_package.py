"""The package: whoever installs it gets the web app without building it."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from tests.server.pages import small_app
from tests.test_house import ROOT


def test_a_wheel_holds_the_built_web_app(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "src").mkdir(parents=True)
    for name in ("pyproject.toml", "README.md", "LICENSE", ".gitignore"):
        shutil.copy(ROOT / name, tree / name)
    shutil.copytree(
        ROOT / "src/whisp", tree / "src/whisp", ignore=shutil.ignore_patterns("web_app", "__pycache__")
    )
    small_app.put(tree / "src/whisp/web_app")
    (tree / "src/whisp/web_app/.stamp").write_text("1\n")
    built = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", tmp_path / "out"],
        cwd=tree,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    (wheel,) = (tmp_path / "out").glob("*.whl")
    with zipfile.ZipFile(wheel) as opened:
        names = set(opened.namelist())
        served = {name: opened.read(f"whisp/web_app/{name}") for name in small_app.FILES}
    assert served == small_app.FILES
    assert "whisp/server/pages/pages.py" in names
    assert not [name for name in names if ".stamp" in name or "node_modules" in name]
