"""The outlines, their index, and the cases planned from them."""

import random
from collections import Counter
from pathlib import Path

import pytest
import yaml

from bench.core.errors import UserError
from bench.knowledge.cases import plan, plan_case
from bench.knowledge.course import draw_presentation
from bench.knowledge.description import describe
from bench.knowledge.library import FOLDER, INDEX, Library, build_index, read_outline
from bench.knowledge.outline import AGE_GROUPS, SEVERITIES, Outline, age_group

LIBRARY = Library()
OUTLINES = list(LIBRARY)
each_outline = pytest.mark.parametrize("outline", OUTLINES, ids=lambda outline: outline.id)


def test_the_committed_index_is_fresh():
    assert (FOLDER / INDEX).read_text(encoding="utf-8") == build_index(FOLDER)


def test_an_index_is_built_from_the_outlines_and_not_from_the_index_before(tmp_path):
    """Without which the test above could not fail."""
    source = FOLDER / LIBRARY.listings[0].file
    (tmp_path / "x.yaml").write_bytes(source.read_bytes())
    true = build_index(tmp_path)
    (tmp_path / INDEX).write_text(true.replace(LIBRARY.listings[0].name, "Another"))
    assert Library(base=tmp_path).listings[0].name == "Another", "it is read from the index"
    assert build_index(tmp_path) == true


def test_each_of_the_six_departments_has_16_diseases():
    counted = Counter(listing.department for listing in LIBRARY.listings)
    departments = "Psychiatry, Urology, Orthopedics, Ophthalmology, Endocrinology, General Surgery"
    assert counted == dict.fromkeys(departments.split(", "), 16)


@pytest.mark.parametrize("name", ["sciatica", "Pancreatitis", "Social Anxiety Disorder"])
def test_the_papers_examples_are_found_by_name(name):
    assert LIBRARY.get(name).symptoms


def test_planning_one_department_reads_its_outlines_alone(monkeypatch):
    """The committed index says what there is; each file is parsed when its disease comes."""
    opened: list[str] = []

    def reading(path: Path) -> Outline:
        opened.append(path.parent.name)
        return read_outline(path)

    monkeypatch.setattr("bench.knowledge.library.read_outline", reading)
    library = Library()
    assert len(library.departments) == 6
    assert not opened
    assert len(list(plan(library, ["Urology"], 40, seed=1))) == 40
    assert set(opened) == {"urology"}
    assert len(opened) == len(library.diseases("Urology"))


def test_unknown_names_get_the_nearest():
    with pytest.raises(UserError, match="did you mean 'Psychiatry'"):
        LIBRARY.diseases("Psychiatri")
    with pytest.raises(UserError, match="did you mean 'Acute appendicitis'"):
        LIBRARY.get("acute apendicitis")


def test_a_wrong_outline_is_named_with_its_field(tmp_path):
    data = yaml.safe_load((FOLDER / LIBRARY.listings[0].file).read_text())
    data["symptoms"][0]["typicality"] = 1.5
    path = tmp_path / "x.yaml"
    path.write_text(yaml.safe_dump(data))
    with pytest.raises(UserError, match=r"x\.yaml, line \d+: symptoms\.0\.typicality"):
        read_outline(path)


@each_outline
def test_description_names_every_symptom_and_examination(outline: Outline):
    told = describe(outline)
    for symptom in outline.symptoms:
        assert symptom.name in told
    for guide in outline.examinations:
        assert guide.test in told
    assert "{n}" not in told


@each_outline
def test_cases_respect_sex_and_age(outline: Outline):
    cases = [
        case
        for case in plan(LIBRARY, [outline.department], 80, seed=1)
        if case.disease == outline.name
    ]
    genders = Counter(case.gender for case in cases)
    if outline.sex == "any":
        assert abs(genders["female"] - genders["male"]) <= 1
    else:
        assert set(genders) == {outline.sex}
    for case in cases:
        band = outline.band(case.age)
        assert band is not None
        assert band.group == case.age_group == age_group(case.age)


def test_a_longer_plan_begins_with_the_shorter_in_each_department():
    short = list(plan(LIBRARY, ["Urology"], 5, seed=7))
    assert list(plan(LIBRARY, ["Urology"], 50, seed=7))[:5] == short
    assert list(plan(LIBRARY, ["Urology"], 5, seed=8)) != short


def test_ids_are_unique_and_diseases_take_turns():
    cases = list(plan(LIBRARY, LIBRARY.departments, 20, seed=0))
    assert len({case.id for case in cases}) == len(cases) == 20 * len(LIBRARY.departments)
    counted = Counter((case.department, case.disease) for case in cases)
    for department in LIBRARY.departments:
        shares = [n for (where, _), n in counted.items() if where == department]
        assert max(shares) - min(shares) <= 1


def test_age_groups_are_drawn_by_weight():
    outline = LIBRARY.get("ORT-02")
    cases = [plan_case(outline, number, seed=1) for number in range(2000)]
    total = sum(band.weight for band in outline.ages)
    for band in outline.ages:
        share = sum(case.age_group == band.group for case in cases) / len(cases)
        assert share == pytest.approx(band.weight / total, abs=0.03)


@each_outline
def test_a_course_is_the_outlines_and_depends_on_the_seed_alone(outline: Outline):
    gender = "male" if outline.sex == "any" else outline.sex
    group = outline.ages[0].group
    drawn = [draw_presentation(outline, gender, group, seed) for seed in range(60)]
    assert drawn == [draw_presentation(outline, gender, group, seed) for seed in range(60)]
    assert {course.severity for course in drawn} == set(SEVERITIES)
    assert {course.onset for course in drawn} <= {item.text for item in outline.course.onset}
    assert len({course.onset for course in drawn}) > 1
    for course in drawn:
        number, unit = course.duration.split()
        span = outline.course.duration[course.severity]
        assert span.low <= int(number) <= span.high
        assert unit.rstrip("s") == span.unit.rstrip("s")


def test_ages_belong_to_the_papers_groups():
    rng = random.Random(0)
    for _ in range(200):
        age = rng.randint(0, 85)
        low, high = AGE_GROUPS[age_group(age)]
        assert low <= age <= high


def test_an_outline_is_described_once_and_another_of_its_id_anew():
    outline = LIBRARY.get("sciatica")
    text = describe(outline)
    assert describe(outline) is text
    assert describe(outline, "mild") != text
    assert describe(outline.model_copy(update={"name": "Another"})).startswith("Disease: Another")
