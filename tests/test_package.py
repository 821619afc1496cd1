"""What users install."""

import subprocess
import sys
from pathlib import Path

import pytest

import fastmlp

ROOT = Path(__file__).parent.parent


def run(*command, **options):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=600, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_package_is_typed_and_licensed():
    assert (Path(fastmlp.__file__).parent / "py.typed").exists()
    assert (ROOT / "LICENSE").read_text().startswith("BSD 3-Clause License")


def test_dir_shows_the_public_names_only():
    code = "import fastmlp, fastmlp.sklearn; print(*dir(fastmlp), fastmlp.sklearn.__name__)"
    assert run(sys.executable, "-c", code).split() == [*sorted([*fastmlp.__all__, "__version__"]), "fastmlp.sklearn"]


@pytest.mark.slow
def test_a_wheel_installs_into_an_empty_environment_and_fits(tmp_path):
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", tmp_path, ROOT)
    (wheel,) = tmp_path.glob("fastmlp-*.whl")
    run(sys.executable, "-m", "venv", tmp_path / "empty")
    python = tmp_path / "empty" / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", wheel)
    code = "import fastmlp; print(fastmlp.fit([0.0, 1.0], [1.0, 3.0], hidden=5, epochs=500, rng=0).predict([1.0]))"
    assert run(python, "-c", code, cwd=tmp_path).strip() == "[3.]"
