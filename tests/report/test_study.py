"""A study: pictures are matched by path and shown without names; nothing comes from elsewhere."""

from __future__ import annotations

import base64
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as PilImage

from autoremove.errors import InputError, UsageError
from autoremove.report.study import (
    Options,
    make_study,
    matched,
    named_folder,
    named_folders,
    tasks_of,
    write_study,
)
from autoremove.report.study_page import Study, Version, key_of, render
from tests import builders

PICTURES = ("one.png", "sub/two.png", "sub/three.png")


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, Path]:
    """Originals, two models' results and masks; one result of the second model is a JPEG."""
    made = {}
    for name in ("originals", "secretnet", "othernet", "masks"):
        for relative in PICTURES:
            path = tmp_path / name / relative
            path.parent.mkdir(parents=True, exist_ok=True)
            hole = np.zeros((*builders.SIZE_HW, 3), np.uint8)
            hole[20:60, 36:68] = 255
            rgb = hole if name == "masks" else builders.scene(person=name == "originals")
            PilImage.fromarray(rgb).save(path)
        made[name] = tmp_path / name
    (made["othernet"] / "one.png").rename(made["othernet"] / "one.jpg")
    return made


def results(folders: dict[str, Path]) -> dict[str, Path]:
    return {name: folders[name] for name in ("secretnet", "othernet")}


def parts(html: str) -> dict[str, Any]:
    found = re.findall(r'<script type="application/json" id="(\w+)">(.*?)</script>', html, re.DOTALL)
    return {name: json.loads(text) for name, text in found}


def test_folders_have_names(tmp_path: Path) -> None:
    assert named_folder("old=some/where") == ("old", Path("some/where"))
    assert named_folder("some/where") == ("where", Path("some/where"))
    assert named_folder("a/b=c") == ("b=c", Path("a/b=c"))
    (tmp_path / "x=y").mkdir()
    assert named_folder(str(tmp_path / "x=y"))[0] == "x=y"
    with pytest.raises(UsageError, match="names no folder"):
        named_folder("old=")
    with pytest.raises(UsageError, match="both named out"):
        named_folders(["a/out", "b/out"])


def test_pictures_match_by_path_and_the_rest_is_listed(folders: dict[str, Path]) -> None:
    (folders["secretnet"] / "sub/three.png").unlink()
    builders_extra = folders["othernet"] / "extra.png"
    PilImage.fromarray(builders.scene()).save(builders_extra)
    (folders["masks"] / "one.png").unlink()
    found = matched(results(folders), folders["originals"], folders["masks"])
    assert list(found.pictures) == ["one.png", "sub/two.png"]
    assert found.pictures["one.png"]["othernet"].name == "one.jpg"
    assert "--masks" not in found.pictures["one.png"] and "--masks" in found.pictures["sub/two.png"]
    assert set(found.left) == {
        "--truth: sub/three.png",
        "othernet: sub/three.png",
        "othernet: extra.png",
        "--masks: sub/three.png",
    }


def test_one_stem_with_two_endings_is_no_match(folders: dict[str, Path]) -> None:
    PilImage.fromarray(builders.scene()).save(folders["othernet"] / "one.webp")
    assert "one.png" not in matched(results(folders), folders["originals"]).pictures


def test_nothing_in_common_is_an_error(folders: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"No picture .*empty 0"):
        matched({"empty": tmp_path / "empty"}, folders["originals"])
    with pytest.raises(InputError, match="no folder"):
        matched({"gone": tmp_path / "gone"}, None)


def test_tasks_need_what_they_need() -> None:
    assert tasks_of(Options(), True) == ["real", "opinion", "pair"]
    assert tasks_of(Options(), False) == ["opinion"]
    assert tasks_of(Options(tasks=["pair", "real"]), True) == ["real", "pair"]
    with pytest.raises(UsageError, match="no task 'reel'"):
        tasks_of(Options(tasks=["reel"]), True)
    with pytest.raises(UsageError, match="needs true pictures"):
        tasks_of(Options(tasks=["pair"]), False)
    with pytest.raises(UsageError, match="names no task"):
        tasks_of(Options(tasks=[]), True)


def made(folders: dict[str, Path], **options: Any) -> Study:
    found = matched(results(folders), folders["originals"], folders["masks"])
    return make_study(found, Options(**options))[0]


def test_every_version_has_one_form_and_one_size(folders: dict[str, Path]) -> None:
    big = np.asarray(PilImage.fromarray(builders.scene()).resize((336, 240)))
    PilImage.fromarray(big).save(folders["originals"] / "one.png")
    study = made(folders, side=100)
    assert len(study.versions) == 9
    sizes = {PilImage.open(io.BytesIO(version.data)).size for version in study.versions}
    assert sizes == {(100, 71)}
    assert all(version.data[:2] == b"\xff\xd8" for version in study.versions)
    assert study.tasks == {"real": 9, "opinion": 9, "pair": 6}
    outline = np.asarray(PilImage.open(io.BytesIO(study.outlines["sub/two.png"])).convert("RGBA"))
    assert outline.shape[:2] == (71, 100)
    assert 0.02 < (outline[..., 3] > 0).mean() < 0.2  # a line, not an area


def test_a_picture_of_another_shape_or_damaged_is_left_out(folders: dict[str, Path]) -> None:
    PilImage.fromarray(builders.scene()).crop((0, 0, 60, 80)).save(folders["secretnet"] / "one.png")
    damaged = folders["othernet"] / "sub/two.png"
    damaged.write_bytes(damaged.read_bytes()[:200])
    study, left = make_study(matched(results(folders), folders["originals"]), Options())
    assert {version.picture for version in study.versions} == {"sub/three.png"}
    assert len(left) == 2 and "another shape" in left[0] and "two.png" in left[1]


def test_the_page_says_no_name_and_needs_nothing_else(folders: dict[str, Path]) -> None:
    html = render(made(folders))
    for name in ("secretnet", "othernet", "originals", "three", "one.png"):
        assert name not in html
    assert not re.search(r"""(?:src|href)\s*=\s*["'](?!data:)""", html)
    assert not re.search(r"https?:|url\(|@import|fetch\(|XMLHttpRequest|innerHTML|eval\(", html)
    assert "default-src 'none'" in html
    embedded = parts(html)
    assert set(embedded) == {"study", "key", "pictures"}
    assert all(uri.startswith("data:image/jpeg;base64,") for uri in embedded["pictures"].values())
    key = json.loads(base64.b64decode(embedded["key"]))
    assert key["models"] == ["othernet", "secretnet"] and key["pictures"] == sorted(PICTURES)
    assert set(key["of"]) == set(embedded["pictures"])
    assert embedded["study"]["tasks"] == {"real": 9, "opinion": 9, "pair": 6}


def test_the_order_of_the_pictures_in_the_page_says_nothing(folders: dict[str, Path]) -> None:
    study = made(folders)
    embedded = parts(render(study))
    names = list(embedded["pictures"])
    assert names == sorted(names)
    of = json.loads(base64.b64decode(embedded["key"]))["of"]
    assert [of[name][0] for name in names] != sorted(of[name][0] for name in names)


def test_the_same_pictures_make_the_same_page_and_others_another(folders: dict[str, Path]) -> None:
    one, again = made(folders), made(folders)
    assert one.id == again.id and render(one) == render(again)
    assert made(folders, seconds=1.0).id != one.id
    assert made(folders, limit=2).id != one.id


def test_odd_names_come_through() -> None:
    picture = "</script>\udcff.png"
    study = Study([Version(picture, "m\u2028", b"x")], {"opinion": 1}, 0.0, "9.9")
    assert key_of(study, ["p1"]) == {"models": ["m\u2028"], "pictures": [picture], "of": {"p1": [0, 0]}}
    key = json.loads(base64.b64decode(parts(render(study))["key"]))
    assert key["pictures"] == [picture]


def test_the_page_is_written(folders: dict[str, Path], tmp_path: Path) -> None:
    size = write_study(made(folders), tmp_path / "new" / "study.html")
    assert (tmp_path / "new" / "study.html").stat().st_size == size
