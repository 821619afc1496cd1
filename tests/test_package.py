"""What users install."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import fastmlp

ROOT = Path(__file__).parent.parent


def run(*command, **options):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=600, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_dir_shows_the_public_names_only():
    code = "import fastmlp, fastmlp.sklearn; print(*dir(fastmlp), fastmlp.sklearn.__name__)"
    assert run(sys.executable, "-c", code).split() == [*sorted([*fastmlp.__all__, "__version__"]), "fastmlp.sklearn"]


@pytest.mark.slow
def test_a_wheel_installs_into_an_empty_environment_and_fits(tmp_path):
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", tmp_path, ROOT)
    (wheel,) = tmp_path.glob("fastmlp-*.whl")
    with zipfile.ZipFile(wheel) as content:
        names = content.namelist()
        (licence,) = (name for name in names if name.endswith("/LICENSE"))
        assert content.read(licence).decode().startswith("BSD 3-Clause License")
    package = (ROOT / "fastmlp").rglob("*.py")
    assert {"fastmlp/py.typed", *(str(path.relative_to(ROOT)) for path in package)} <= set(names)
    run(sys.executable, "-m", "venv", tmp_path / "empty")
    python = tmp_path / "empty" / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", wheel)
    code = "import fastmlp; print(fastmlp.fit([0.0, 1.0], [1.0, 3.0], hidden=5, epochs=500, rng=0).predict([1.0]))"
    assert run(python, "-c", code, cwd=tmp_path).strip() == "[3.]"


@pytest.mark.slow
def test_a_type_checker_sees_the_signatures(tmp_path):
    (tmp_path / "call.py").write_text(
        "import fastmlp\n"
        "reveal_type(fastmlp.fit([0.0], [1.0], hidden=3))\n"
        "fastmlp.fit([0.0], [1.0], hidden='3')\n"
        "fastmlp.fit_many([0.0], [1.0], [{}], epoch=3)\n"
    )
    command = [sys.executable, "-m", "mypy", "--config-file", ROOT / "pyproject.toml", tmp_path / "call.py"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    reveal, wrong_type, wrong_name = (
        "".join(line for line in done.stdout.splitlines() if f"call.py:{number}: " in line) for number in (2, 3, 4)
    )
    assert 'Revealed type is "fastmlp.models.model.Model"' in reveal
    assert 'Argument "hidden" to "fit" has incompatible type "str"; expected "int"' in wrong_type
    assert 'Unexpected keyword argument "epoch" for "fit_many"' in wrong_name
