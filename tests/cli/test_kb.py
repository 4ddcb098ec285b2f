"""`pzbench kb` and `--kb`: our knowledge with a folder of the user's own."""

import json
from pathlib import Path

import pytest
import yaml
from commands import experiment, inside, script

from bench.knowledge.library import FOLDER, INDEX, Library

LIBRARY = Library()


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A folder with one new disease in a new department and another sciatica."""
    folder = tmp_path / "own"
    folder.mkdir()
    text = LIBRARY.filed["ORT-02"].path.read_text(encoding="utf-8")
    (folder / "sciatica.yaml").write_text(text.replace("numbness", "deadness"), encoding="utf-8")
    data = yaml.safe_load(text)
    data.update(id="DER-01", name="Dragon pox", synonyms=["Scale fever"], department="Dermatology")
    (folder / "dragon_pox.yaml").write_text(yaml.safe_dump(data), encoding="utf-8")
    return folder


def test_ours_are_listed_shown_counted_and_checked():
    listed = inside("kb", "list").out.splitlines()
    assert len(listed) == 96
    assert listed[0] == "END-01  Endocrinology     Type 1 diabetes mellitus"
    assert len(inside("kb", "list", "--department", "Urology").out.splitlines()) == 16
    assert "did you mean 'Urology'" in inside("kb", "list", "--department", "Urologie").error
    for name in ("ORT-02", "sciatica", "SCIATICA", "Graves disease"):
        assert inside("kb", "show", name).out.startswith("Disease: ")
    assert "did you mean 'Nephrolithiasis" in inside("kb", "show", "nephrolithiasys").error
    stats = inside("kb", "stats").out
    assert "diseases" in stats
    assert " 96 " in stats


def test_the_check_runs_as_installed():
    done = script("kb", "check")
    assert (done.code, done.out) == (0, "96 outlines checked: no faults\n")


def test_what_a_check_finds_ends_with_3(own: Path):
    faulty = own / "dragon_pox.yaml"
    data = yaml.safe_load(faulty.read_text())
    data["examinations"] = data["examinations"][:1]
    faulty.write_text(yaml.safe_dump(data))
    done = inside("kb", "check", faulty)
    assert done.code == 3
    assert done.out.splitlines()[-1] == "1 outlines checked: 1 fault"
    assert "an outline needs 4 at least" in done.out
    assert "Traceback" not in done.err


def test_a_folder_extends_and_replaces(own: Path):
    library = Library(own)
    assert len(library.listings) == 97
    assert library.get("scale FEVER").id == "DER-01"
    assert "Dermatology" in library.departments
    assert any("deadness" in one.name for one in library.get("sciatica").symptoms)
    assert library.digest != LIBRARY.digest
    assert "DER-01  Dermatology       Dragon pox" in inside("kb", "list", "--kb", own).out
    assert "deadness" in inside("kb", "show", "sciatica", "--kb", own).out
    assert "deadness" not in inside("kb", "show", "sciatica").out


def test_a_later_folder_goes_first(own: Path, tmp_path: Path):
    other = tmp_path / "other"
    other.mkdir()
    text = (own / "sciatica.yaml").read_text(encoding="utf-8")
    (other / "x.yaml").write_text(text.replace("deadness", "stillness"), encoding="utf-8")
    for folders, word in (((own, other), "stillness"), ((other, own), "deadness")):
        assert any(word in one.name for one in Library(*folders).get("ORT-02").symptoms)


def test_a_run_uses_the_users_folder(own: Path, tmp_path: Path):
    file = experiment(tmp_path / "x.yaml", departments=["Dermatology"], tables=["rows"])
    assert (
        "there is no department 'Dermatology'"
        in inside("run", file, "--out", tmp_path / "run").error
    )
    done = inside("run", file, "--kb", own, "--out", tmp_path / "run")
    assert done.code == 0, done
    rows = (tmp_path / "run" / "rows.csv").read_text()
    assert Library(own).digest in rows
    records = (tmp_path / "run" / "records" / "rules" / "direct.jsonl").read_text().splitlines()
    assert {json.loads(line)["id"] for line in records} == {"DER-01-0001", "DER-01-0002"}
    scored = inside(
        "score", tmp_path / "run/records/rules/direct.jsonl", "--judge", "rules", "-m", "accuracy",
        "--kb", own,
    )  # fmt: skip
    assert scored.code == 0, scored
    assert "1.0000" in scored.out


def test_the_experiment_file_can_name_the_folder(own: Path, tmp_path: Path):
    settings = {"departments": ["Dermatology"], "knowledge": [str(own)], "tables": ["rows"]}
    file = experiment(tmp_path / "x.yaml", **settings)
    for _ in range(2):  # running again is resuming
        assert inside("run", file, "--out", tmp_path / "run").code == 0
    elsewhere = own.rename(tmp_path / "moved")
    file = experiment(tmp_path / "x.yaml", **{**settings, "knowledge": [str(elsewhere)]})
    assert inside("run", file, "--out", tmp_path / "run").code == 0
    planned = inside("run", file, "--out", tmp_path / "other", "--plan")
    assert "it costs nothing" in planned.err


def test_an_index_is_used_where_it_fits_and_passed_over_where_not(own: Path, monkeypatch):
    assert inside("kb", "index", "--kb", own).code == 0
    listed = json.loads((own / INDEX).read_text())
    assert [one["id"] for one in listed] == ["DER-01", "ORT-02"]
    changed = (own / "dragon_pox.yaml").read_text().replace("Dragon pox", "Dragon rash")
    (own / "dragon_pox.yaml").write_text(changed)
    assert Library(own).get("Dragon rash").id == "DER-01"
    monkeypatch.setattr("bench.knowledge.library.read_outline", None)  # reading would fail
    assert len(Library().listings) == 96


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("id: [", r"b.yaml, line 2: not valid YAML"),
        ("id: X-01\n", r"b.yaml, line 1: name: Field required (and"),
        (None, "z.yaml: the id DER-01 is taken by"),
    ],
)
def test_a_broken_outline_is_named(content: str | None, says: str, own: Path):
    (own / "b.yaml").write_text(content or (own / "dragon_pox.yaml").read_text())
    if content is None:
        (own / "z.yaml").write_text((own / "b.yaml").read_text())
        (own / "dragon_pox.yaml").unlink()
    assert says in inside("kb", "list", "--kb", own).error


def test_one_name_for_two_diseases_is_named(own: Path):
    path = own / "dragon_pox.yaml"
    path.write_text(path.read_text().replace("Scale fever", "BPH"))
    said = inside("kb", "list", "--kb", own).error
    assert "the name 'BPH' of " in said
    assert "to replace the other" in said


def test_an_absent_or_empty_folder_is_named(tmp_path: Path):
    assert "there is no folder" in inside("kb", "list", "--kb", tmp_path / "none").error
    assert "holds no outline" in inside("kb", "stats", "--kb", tmp_path).error
    assert "there is no folder" in inside("kb", "check", tmp_path / "none").error
    assert FOLDER.is_dir()
