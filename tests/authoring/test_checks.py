"""Each kind of fault that the checks are for is planted in a good outline and found."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bench.authoring.inspection import INCIDENTAL, copied, inspect_outlines
from bench.authoring.units import known_unit
from bench.knowledge.library import FOLDER, Library

LIBRARY = Library()
Data = dict[str, Any]
Change = Callable[[Data], None]


def data_of(disease: str) -> Data:
    """An outline as its file has it, free to be changed."""
    path = LIBRARY.filed[LIBRARY.get(disease).id].path
    read: Data = yaml.safe_load(path.read_text(encoding="utf-8"))
    return read


def written(folder: Path, data: Data, name: str = "x.yaml") -> Path:
    path = folder / name
    path.write_text(yaml.safe_dump(data, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return path


def laboratory(data: Data, test: str) -> Data:
    found: Data = next(one for one in data["examinations"] if one["test"] == test)
    return found


def put(*path: str | int, value: Any) -> Change:
    def change(data: Data) -> None:
        node: Any = data
        for part in path[:-1]:
            node = node[part]
        node[path[-1]] = value

    return change


def below_reference(data: Data) -> None:
    laboratory(data, "Serum lipase")["quantity"]["patient_range"]["mild"] = {"low": 5, "high": 20}


def no_interval_for_women(data: Data) -> None:
    quantity = laboratory(data, "Serum lipase")["quantity"]
    quantity["reference"] = [{"low": 13, "high": 60, "sex": "male"}]


def no_mild_symptom(data: Data) -> None:
    for symptom in data["symptoms"]:
        symptom["by_severity"] = {**symptom.get("by_severity", {}), "mild": 0}


def never_occurs(data: Data) -> None:
    data["symptoms"][2].update(typicality=0, by_severity={}, by_age={})


def fever_is_absent_and_present(data: Data) -> None:
    data["symptoms"][0]["phrases"].append("pain with chills that come at night")
    data["pertinent_negatives"].append("chills")


def adults_are_gone(data: Data) -> None:
    data["ages"] = [band for band in data["ages"] if band["group"] != "adults"]


def onset_of_men_alone(data: Data) -> None:
    for onset in data["course"]["onset"]:
        onset["sex"] = "male"


def twice_examined(data: Data) -> None:
    data["examinations"].append(laboratory(data, "Serum lipase"))


def only_men(data: Data) -> None:
    data.update(sex="male", female_share=None)
    data["symptoms"][1]["sex"] = "female"


def thin(field: str, keep: int) -> Change:
    return lambda data: data.update({field: data[field][:keep]})


def without_category(category: str) -> Change:
    return lambda data: data.update(
        examinations=[one for one in data["examinations"] if one["category"] != category]
    )


def laboratory_in_words(data: Data) -> None:
    for one in data["examinations"]:
        if one["category"] == "laboratory" and one.pop("quantity", None):
            one["findings"] = [{"text": "raised", "weight": 1}]


def again(field: str) -> Change:
    """An entry of a list once more, spaced and capitalized otherwise."""

    def change_it(data: Data) -> None:
        first = data[field][0]
        key = next((key for key in ("name", "title") if key in first), "")
        if isinstance(first, str):
            data[field][-1] = f" {first.upper()}"
        else:
            data[field][-1] = {**first, key: f"{first[key].upper()}  "}

    return change_it


def nobody_has_a_past(data: Data) -> None:
    for item in data["history"]["family"]:
        item["from_age"] = 85


def mild_findings_alone(data: Data) -> None:
    for examination in data["examinations"]:
        for finding in examination.get("findings", ()):
            finding["severities"] = ["mild"]


PLANTED: dict[str, tuple[Change, str]] = {
    "wrong side of the reference": (below_reference, r"Serum lipase: 5-20 U/L is not high"),
    "no reference for a sex": (no_interval_for_women, "no interval is for female"),
    "sex-bound with a ratio": (put("sex", value="male"), "female_share goes with sex 'any'"),
    "ratio of one sex alone": (put("female_share", value=0), "binds the disease to one sex"),
    "symptom of the other sex": (only_men, "it is for female patients alone"),
    "symptom and pertinent negative": (
        fever_is_absent_and_present,
        "'chills' is a symptom as well",
    ),
    "unknown unit": (
        lambda data: laboratory(data, "Serum lipase")["quantity"].update(unit="parrots/L"),
        "'parrots/L' is no unit",
    ),
    "level without symptom": (no_mild_symptom, "none can occur in mild disease"),
    "symptom that never occurs": (never_occurs, "can never occur"),
    "age outside its group": (put("ages", 0, "low", value=12), "are not a range within"),
    "age group twice": (
        lambda data: data["ages"].append(dict(data["ages"][0])),
        "stands twice in ages",
    ),
    "share outside the age groups": (
        put("symptoms", 0, "by_age", value={"children": 0.4}),
        "a share for children, who are not among",
    ),
    "statement for nobody": (
        put("history", "medical", 0, "groups", value=["children"]),
        "it is for children, in whom the disease is not met",
    ),
    "onset for one sex": (onset_of_men_alone, "course.onset: nothing fits female"),
    "synonym twice": (lambda data: data["synonyms"].append(data["name"]), "stands twice among"),
    "differential that is the disease": (
        lambda data: data["differentials"].append({"name": data["name"], "distinguished_by": "x"}),
        "is the disease itself",
    ),
    "phrase twice": (
        lambda data: data["symptoms"][1]["phrases"].append(data["symptoms"][0]["name"]),
        "stands under",
    ),
    "frequency upside down": (put("frequency", "high", value=0.1), "is no range"),
    "code": (put("codes", "icd10", value="pancreatitis"), "has not the form of a code"),
    "examination twice": (twice_examined, "Serum lipase is done twice in one patient"),
    "no finding for a level": (mild_findings_alone, "has none for severe disease"),
    "number of years without years": (
        put("history", "medical", 0, "text", value="Gallstones since {n} months"),
        'wants "years" after it',
    ),
    "number of years outside the history": (
        put("risk_factors", 0, value="Alcohol for {n} years"),
        "stands outside the history",
    ),
    "year of a source": (put("sources", 0, "year", value=20), "greater than or equal to 1950"),
    "7 symptoms": (thin("symptoms", 7), "there are 7; an outline needs 8"),
    "nothing physical": (without_category("physical"), "none is physical"),
    "no laboratory value": (laboratory_in_words, "no laboratory test has a unit"),
    "one risk factor twice": (again("risk_factors"), r"risk_factors\.\d+: .* stands twice"),
    "five times one risk factor": (
        lambda data: data.update(risk_factors=["Age", "age", "AGE ", "a", "b", "c"]),
        "there are 4; an outline needs 5",
    ),
    "empty risk factors": (put("risk_factors", value=[""] * 5), "risk_factors.4: .* at least 1"),
    "one source twice": (
        lambda data: data.update(sources=[data["sources"][0]] * 2),
        "there are 1; an outline needs 2",
    ),
    "synonym with a blank": (
        lambda data: data["synonyms"].append(f"{data['name'].upper()} "),
        "stands twice among",
    ),
    "empty name": (put("name", value=" "), "at least 1 character"),
    "history of nobody": (nobody_has_a_past, r"nothing can have begun by the age of \d+, female"),
    "endless weight": (put("ages", 0, "weight", value=float("inf")), "finite number"),
    "unit that is a calculation": (
        lambda data: laboratory(data, "Serum lipase")["quantity"].update(unit="9**9**9**9"),
        "is no unit",
    ),
    "unknown field": (put("prognosis", value="good"), "Extra inputs are not permitted"),
}


@pytest.mark.parametrize("kind", PLANTED)
def test_a_planted_fault_is_found_with_its_line(kind: str, tmp_path: Path):
    data = data_of("GS-05")
    good = inspect_outlines([written(tmp_path, data)])
    assert good.complaints == []
    change, says = PLANTED[kind]
    change(data)
    path = written(tmp_path, data)
    found = inspect_outlines([path])
    assert any(re.search(says, complaint) for complaint in found.complaints), found.complaints
    lines = path.read_text(encoding="utf-8").count("\n")
    for complaint in found.complaints:
        place = re.match(rf"{re.escape(str(path))}, line (\d+): ", complaint)
        assert place is not None, complaint
        assert 1 <= int(place[1]) <= lines


def test_the_line_is_that_of_the_value(tmp_path: Path):
    data = data_of("GS-05")
    data["codes"]["icd10cm"] = "none"
    path = written(tmp_path, data)
    (complaint,) = inspect_outlines([path]).complaints
    number = int(re.findall(r"line (\d+)", complaint)[0])
    assert path.read_text().splitlines()[number - 1].strip() == "icd10cm: none"


def test_all_faults_of_a_file_are_told_and_the_other_files_too(tmp_path: Path):
    data = data_of("GS-05")
    data["codes"] = {"icd10": "K85.9"}
    data["symptoms"][0]["typicality"] = 2
    written(tmp_path, data, "a.yaml")
    (tmp_path / "b.yaml").write_text("name: [")
    (tmp_path / "c.yaml").write_text("id: X\nid: Y\n")
    found = inspect_outlines([tmp_path])
    assert found.files == 3
    assert [Path(one.split(",")[0]).name for one in found.complaints] == [
        "a.yaml",
        "a.yaml",
        "b.yaml",
        "c.yaml",
    ]
    assert "'id' stands twice" in found.complaints[-1]


def test_names_and_text_that_two_diseases_share_are_found(tmp_path: Path):
    data = data_of("GS-05")
    written(tmp_path, data)
    data.update(id="GS-99", name="Another", synonyms=["New", "pancreatitis"])
    written(tmp_path, data, "y.yaml")
    complaints = inspect_outlines([tmp_path]).complaints
    assert len(complaints) == 2
    assert "y.yaml" in complaints[0]
    assert "'pancreatitis' is a name of GS-05 as well" in complaints[0]
    assert re.search(r"99\.\d%|100\.0%", complaints[1])


def test_one_id_for_two_files_is_found_and_a_later_folder_replaces(tmp_path: Path):
    data = data_of("GS-05")
    for name in ("a.yaml", "b.yaml"):
        written(tmp_path, data, name)
    assert "the id GS-05 is taken by" in inspect_outlines([tmp_path]).complaints[0]
    (tmp_path / "b.yaml").unlink()
    assert inspect_outlines([FOLDER, tmp_path]).complaints == []


def test_all_of_ours_pass():
    found = inspect_outlines([FOLDER])
    assert found.complaints == []
    assert found.drafts == []
    assert found.files == len(LIBRARY.listings)


def test_no_two_of_ours_share_more_than_incidental_text():
    shared = [share for *_, share, _ in copied(LIBRARY, most=0.0)]
    assert 0 < max(shared) <= INCIDENTAL  # a phrase such as a vaccine's is shared by chance


UNITS = (
    "g/dL, µmol/L, 10^9/L, %, mmHg, mL/min/1.73m2, kg/m2, /HPF, mIU/L, °C, points, beats/min, "
    "mm/h, beats per minute, cells/µL, mosm/kg, pH units, mg/24 h, 10⁹/L, m^2, ratio, L·min⁻¹"
)
CALCULATIONS = (
    "5",
    "1",
    "3 mg",
    "(3 mg)",
    "-3 mg",
    "1e9/L",
    "10^9",
    "9**9**9**9",
    "9 ^ 9 ^ 9 ^ 9",
    "9⁹⁹⁹⁹⁹⁹⁹⁹",
    "((9**99)**99)**99",
    "mg**(9**9**9)",
    "mg" * 30,
)
NO_UNITS = (*CALCULATIONS, "", "parrots/L", "T-score", "mg//dL", "g/dL)", "import os", "mmmol")


@pytest.mark.parametrize("unit", UNITS.split(", "))
def test_units_of_reports_are_known(unit: str):
    assert known_unit(unit)


@pytest.mark.parametrize("unit", NO_UNITS)
def test_what_is_no_unit_is_not_known(unit: str):
    assert not known_unit(unit)


@given(st.text(max_size=30))
def test_any_text_is_a_unit_or_not(text: str):
    assert known_unit(text) in (True, False)
