"""`pzbench kb` and `--kb`: our knowledge with a folder of the user's own."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from commands import experiment, inside, script

from bench.core.errors import UserError
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
    assert done.out.splitlines()[-1] == "1 outlines checked: 2 faults"
    assert "an outline needs 4 at least" in done.out
    assert "of its text is that of ORT-02" in done.out
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
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert manifest["outlines"] == Library(own).digest
    records = tmp_path / "run" / "items" / "generate" / "rules" / "direct.jsonl"
    lines = records.read_text().splitlines()
    assert {json.loads(line)["id"] for line in lines} == {"DER-01-0001", "DER-01-0002"}
    scored = inside(
        "score", records, "--judge", "rules", "-m", "accuracy", "--kb", own,
        "--out", tmp_path / "scored",
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
    monkeypatch.setattr("bench.knowledge.library.parse_yaml", None)  # reading would fail
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


def other(folder: Path, file: str, **changes: Any) -> Path:
    """Dragon pox in a file of its own, changed; a draft where `provenance` is given."""
    folder.mkdir(exist_ok=True)
    data = yaml.safe_load(LIBRARY.filed["ORT-02"].path.read_text(encoding="utf-8"))
    data.update(id="DER-01", name="Dragon pox", synonyms=[], department="Dermatology")
    path = folder / file
    path.write_text(yaml.safe_dump(data | changes), encoding="utf-8")
    return path


MADE: dict[str, Any] = {"backbone": "b", "prompts": "p", "evidence": [], "unsupported": []}
MADE |= {"sources": [{"name": "a.md", "sha256": "0"}]}


def test_a_draft_plays_no_part_where_drafts_were_not_asked_for(tmp_path: Path):
    own = tmp_path / "own"
    orthopedics = {"department": "Orthopedics", "provenance": MADE}
    other(own, "a.yaml", id="ORT-06", name="Carpal tunnel syndrome", **orthopedics)
    other(own, "b.yaml", synonyms=["Sciatica"], provenance=MADE)
    plain = Library(own)
    assert [one.id for one in plain.listings] == [one.id for one in LIBRARY.listings]
    assert plain.digest == LIBRARY.digest
    assert plain.get("ORT-06") == LIBRARY.get("ORT-06")
    assert plain.get("sciatica").id == "ORT-02"
    with pytest.raises(UserError, match="DER-01 Dragon pox is a draft that nobody has approved"):
        plain.get("dragon pox")
    with pytest.raises(UserError, match="the name 'Sciatica' of DER-01 is taken by ORT-02"):
        assert Library(own, drafts=True).listings


def test_a_draft_whose_name_is_taken_is_listed_and_shown_to_be_mended(tmp_path: Path):
    own = tmp_path / "own"
    for number in (1, 2):
        other(
            own,
            f"{number}.yaml",
            id=f"DER-0{number}",
            name=f"Pox {number}",
            synonyms=["Sciatica", "Scale fever"],
            provenance=MADE,
        )
    assert "Pox 2  (draft)" in inside("kb", "list", "--kb", own).out
    assert inside("kb", "show", "DER-02", "--kb", own).out.startswith("Disease: Pox 2")
    assert inside("kb", "show", "sciatica", "--kb", own).out.startswith("Disease: Lumbar disc")
    refused = inside("kb", "approve", "DER-02", "--by", "A", "--kb", own).error
    assert f"cannot be approved before it is mended: {own / '2.yaml'}, line" in refused


def test_a_name_never_takes_the_place_of_an_id(tmp_path: Path):
    other(tmp_path / "a", "x.yaml", id="ZZZ-01", synonyms=["ort-02"])
    other(tmp_path / "b", "x.yaml", id="ort-02")
    for folder in ("a", "b"):
        said = inside("kb", "list", "--kb", tmp_path / folder).error
        assert "'ort-02' of " in said
        assert "is taken by ORT-02" in said
        checked = inside("kb", "check", tmp_path / folder)
        assert "'ort-02' is a name of ORT-02 as well" in checked.out


def test_a_short_name_that_two_diseases_share_is_nobodys(tmp_path: Path):
    other(tmp_path, "x.yaml", id="DER-01", name="Foo (a)")
    other(tmp_path, "y.yaml", id="DER-02", name="Foo (b)")
    other(tmp_path, "z.yaml", id="DER-03", name="Bar (a)")
    library = Library(tmp_path)
    assert library.find("foo") is None
    assert library.get("foo (B)").id == "DER-02"
    assert library.get("bar").id == "DER-03"


def test_a_check_finds_what_is_wrong_between_the_files_that_are_named(own: Path, tmp_path: Path):
    first, second = (other(tmp_path, name) for name in ("a.yaml", "b.yaml"))
    assert (
        f"{second}: the id DER-01 is taken by {first}" in inside("kb", "check", first, second).out
    )
    assert "the id" not in inside("kb", "check", first, first).out


def test_a_check_compares_with_ours_and_with_the_users(own: Path, tmp_path: Path):
    copied = other(tmp_path, "x.yaml", id="DER-09", synonyms=["Scale fever"], name="Copied")
    alone = inside("kb", "check", copied)
    assert alone.code == 3
    assert f"{copied}: 100.0% of its text is that of ORT-02" in alone.out
    assert "'Scale fever'" not in alone.out
    assert "'Scale fever' is a name of DER-01" in inside("kb", "check", copied, "--kb", own).out
    assert inside("kb", "check", LIBRARY.filed["ORT-02"].path).code == 0


@pytest.mark.parametrize("text", ["5", "null", "[5]", "[" * 50_000])
def test_a_broken_index_is_passed_over(text: str, own: Path):
    (own / INDEX).write_text(text)
    assert "Dragon pox" in inside("kb", "list", "--kb", own).out


def test_what_is_no_outline_file_is_passed_over_or_named(own: Path):
    (own / "folder.yaml").mkdir()
    (own / ".git").mkdir()
    for hidden in ("._x.yaml", ".git/z.yaml"):
        (own / hidden).write_text("{")
    assert "Dragon pox" in inside("kb", "list", "--kb", own).out
    for make in (os.mkfifo, lambda path: path.symlink_to("nowhere")):
        make(own / "x.yaml")
        assert "x.yaml is no file, or a link to none" in inside("kb", "list", "--kb", own).error
        (own / "x.yaml").unlink()


def test_what_a_terminal_would_obey_is_spelt_out(tmp_path: Path):
    path = other(tmp_path, "x.yaml", id="A\x1b[2J\nB", name="Pox\x1b\nPox", provenance=MADE)
    other(tmp_path, "y.yaml", id="DER-02", name="Rash", department="\x1b[2JSkin")
    stats = inside("kb", "stats", "--kb", tmp_path)
    assert "\x1b" not in stats.out
    assert "x1b[2" in stats.out
    for done in (inside("kb", "list", "--kb", tmp_path), inside("kb", "check", path)):
        assert "\x1b" not in done.out + done.err
        assert "\\x1b" in done.out
