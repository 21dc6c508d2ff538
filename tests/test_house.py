"""The house rules: which room may know which, how long a file may grow, and what importing may do."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "autoremove"
SOURCES = sorted(PACKAGE.rglob("*.py"))
ALL_PYTHON = [*SOURCES, *sorted((ROOT / "tests").rglob("*.py")), *sorted((ROOT / "benchmarks").rglob("*.py"))]

BASE = {"errors", "labels", "types"}
MAY_KNOW = {
    "errors": set(),
    "labels": set(),
    "types": set(),
    "images": BASE,
    "models": BASE,
    "stages": BASE | {"models"},
    "codecs": BASE | {"images"},
    "store": BASE | {"codecs"},
    "journal": {"errors", "store"},
    "executors": {"errors"},
    "recipe": {"errors", "stages"},
    "pipeline": BASE | {"codecs", "stages", "store"},
    "api": BASE | {"images", "models", "pipeline", "recipe", "stages"},
    "own_masks": BASE | {"api", "images", "pipeline", "stages"},
    "products": BASE | {"codecs", "images", "own_masks", "store"},
    "jobs": BASE | {"images", "journal", "own_masks", "products"},
    "folder": BASE
    | {"codecs", "executors", "jobs", "journal", "own_masks", "pipeline", "products", "recipe", "store"},
    "training": BASE | {"images", "models", "stages"},
    "evaluation": BASE | {"api", "images", "models", "pipeline", "recipe", "stages", "training"},
    "report": BASE | {"__version__", "codecs", "images", "journal", "store"},
    "__init__": {"api"},
    "__main__": {"cli"},
}
"""Room -> the rooms it may import. The command line may import all of them, and none imports it."""

LIGHT = ("autoremove", "autoremove.errors", "autoremove.cli")
"""What `autoremove --help` loads: neither torch nor numpy."""


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_rooms(path: Path) -> Iterator[str]:
    """The rooms of ours that a file imports, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text())):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{'.' * node.level}{node.module or ''}.{alias.name}" for alias in node.names]
        for name in names:
            assert not name.startswith("."), f"{path}: a relative import ({name})"
            if name.startswith("autoremove."):
                yield name.split(".")[1]


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node


def test_imports_go_one_way() -> None:
    wrong = []
    for path in SOURCES:
        room = room_of(path)
        if room == "cli":
            continue
        assert room in MAY_KNOW, f"{named(path)} is a new room: say in MAY_KNOW what it may import"
        wrong += [
            f"{named(path)} imports {other}"
            for other in imported_rooms(path)
            if other != room and other not in MAY_KNOW[room]
        ]
    assert not wrong


def test_no_room_leads_back_to_itself() -> None:
    def reach(room: str, seen: frozenset[str]) -> None:
        assert room not in seen, f"{room} can reach itself through {sorted(seen)}"
        for other in MAY_KNOW.get(room, ()):
            reach(other, seen | {room})

    for room in MAY_KNOW:
        reach(room, frozenset())


def test_files_are_short() -> None:
    long = []
    for path in ALL_PYTHON:
        most = 400 if PACKAGE / "models" in path.parents else 300
        lines = len(path.read_text().splitlines())
        if lines > most:
            long.append(f"{named(path)}: {lines} lines, {most} allowed")
    assert not long


def test_functions_are_short() -> None:
    long = [
        f"{named(path)}:{node.lineno} {node.name}: {lines} lines"
        for path in ALL_PYTHON
        for node in functions(path)
        if (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > 40
    ]
    assert not long


def test_no_drawer_for_odds_and_ends() -> None:
    names = {part.removesuffix(".py") for path in ALL_PYTHON for part in path.relative_to(ROOT).parts}
    assert not names & {"utils", "util", "helpers", "helper", "common", "misc"}


def test_the_first_line_says_what_a_file_is_for() -> None:
    wrong = []
    for path in ALL_PYTHON:
        first = path.read_text().partition("\n")[0]
        sentence = first.strip('"')
        one_sentence = sentence.endswith(".") and not re.search(r"[.!?]\s+[A-Z]", sentence)
        if not first.startswith('"""') or not one_sentence:
            wrong.append(f"{named(path)}: {first}")
    assert not wrong


def test_public_things_have_a_docstring() -> None:
    wrong = [
        f"{named(path)}:{node.lineno} {node.name}"
        for path in SOURCES
        for node in ast.parse(path.read_text()).body
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
        and not node.name.startswith("_")
        and not ast.get_docstring(node)
    ]
    assert not wrong


def test_no_error_is_swallowed() -> None:
    """No bare `except:`, and no `except Exception` that does nothing."""
    wrong = []
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.ExceptHandler):
                continue
            broad = isinstance(node.type, ast.Name) and node.type.id in ("Exception", "BaseException")
            silent = all(isinstance(line, (ast.Pass, ast.Continue)) for line in node.body)
            if node.type is None or (broad and silent):
                wrong.append(f"{named(path)}:{node.lineno}")
    assert not wrong


def test_no_pickle_is_loaded_unguarded() -> None:
    """Only the file that checks hashes first may load a pickle that can run code."""
    wrong = []
    for path in SOURCES:
        text = path.read_text()
        if path.name != "checkpoints.py" and re.search(r"\bimport pickle\b|\bpickle\.loads?\(", text):
            wrong.append(f"{named(path)}: pickle")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load":
                only = {word.arg: ast.unparse(word.value) for word in node.keywords}.get("weights_only")
                if only != "True" and path.name != "checkpoints.py":
                    wrong.append(f"{named(path)}:{node.lineno}: torch.load with weights_only={only}")
    assert not wrong


def text_files() -> list[Path]:
    """What is, or would be, under version control and is text; skipped outside a checkout."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no checkout")
    paths = [ROOT / name for name in listed.decode().split("\0") if name]
    return [path for path in paths if path.is_file() and b"\0" not in path.read_bytes()[:4096]]


WORKPLACE = re.compile(
    r"\bses" + r"sions?\b|/wo" + r"rk/|\bsha" + r"red/|\bpypi\." + r"org|pythonhos" + r"ted"
    r"|sub" + r"agent|hel" + r"per-",
    re.IGNORECASE,
)


def test_the_repository_does_not_speak_of_where_it_was_made() -> None:
    # `scope` of a pytest fixture is the one place where the first of these words is somebody else's name.
    wrong = [
        f"{named(path)}:{number}: {line.strip()[:100]}"
        for path in text_files()
        if path.name != "LICENSE"
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1)
        if WORKPLACE.search(re.sub(r'scope="\w+"', "", line))
    ]
    assert not wrong


def modules() -> list[str]:
    """Every module of ours by its dotted name."""
    dotted = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in SOURCES]
    return [name.removesuffix(".__init__") for name in dotted if not name.endswith("__main__")]


def python(code: str, home: Path) -> str:
    """Run ``code`` with ``home`` as home and working folder; its standard output."""
    home.mkdir()
    own = {key: value for key, value in os.environ.items() if not key.startswith(("XDG_", "AUTOREMOVE_"))}
    environment = {**own, "HOME": str(home), "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_help_needs_neither_torch_nor_numpy(tmp_path: Path) -> None:
    light = [*LIGHT, *(name for name in modules() if name.startswith("autoremove.cli."))]
    code = f"import importlib, sys\nfor name in {light}:\n    importlib.import_module(name)\n"
    loaded = python(code + "print(*sys.modules)", tmp_path / "home").split()
    assert not {"torch", "numpy", "cv2", "ultralytics", "matplotlib"} & set(loaded)
    assert "autoremove.cli" in loaded


def test_recipes_are_listed_and_checked_without_torch(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom autoremove.recipe import recipe_names, load_recipe\n"
        "for name in recipe_names():\n    load_recipe(name)\nprint(*sys.modules)"
    )
    loaded = set(python(code, tmp_path / "home").split())
    assert "autoremove.stages.detect" in loaded
    assert not {"torch", "ultralytics"} & loaded


def test_importing_does_nothing(tmp_path: Path) -> None:
    """Every module imported in an empty home: no file, no folder, no environment variable, no output."""
    home = tmp_path / "home"
    code = (
        "import importlib, os\nimport cv2, torch  # what they set themselves is not ours\n"
        "before = dict(os.environ)\n"
        f"for name in {modules()}:\n    importlib.import_module(name)\n"
        "assert dict(os.environ) == before, set(os.environ.items()) ^ set(before.items())\n"
    )
    assert python(code, home) == ""
    assert list(home.rglob("*")) == []
