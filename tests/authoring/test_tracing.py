"""What a draft is said to rest on is what it rests on, also when it has been mended."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import draft_answers
import pytest

from bench.authoring.checks import faults
from bench.authoring.draft import DraftSubject, assemble, figures
from bench.authoring.draft_file import write_draft
from bench.authoring.parts import PARTS
from bench.authoring.source import SourceText, read_sources
from bench.knowledge.description import trace
from bench.knowledge.library import read_outline
from bench.knowledge.outline import Outline, Provenance

ARTICLE = Path(__file__).with_name("plantar_fasciitis.html")
FOOT = DraftSubject("ORT-17", "Plantar fasciitis", "Orthopedics")
Data = dict[str, Any]
Change = Callable[[Data], object]


def drafted(change: Change = lambda answers: None, more: str = "") -> Outline:
    """The draft that changed answers make of the article and more text."""
    answers = copy.deepcopy(draft_answers.PARTS)
    change(answers)
    (article,) = read_sources(ARTICLE, FOOT.name)
    sources = [SourceText(article.name, article.sha256, f"{article.text}\n{more}")]
    parts = {name: PARTS[name].model_validate(answers[name]) for name in PARTS}
    return assemble(FOOT, sources, parts, "scripted")


def made(outline: Outline) -> Provenance:
    assert outline.provenance is not None
    return outline.provenance


def mended(outline: Outline, change: Change) -> list[str]:
    """The lines of the trace after a change by hand."""
    data = outline.model_dump(mode="json")
    change(data)
    changed = Outline.model_validate(data)
    return trace(changed, made(changed)).splitlines()


@pytest.mark.parametrize(
    ("words", "numbers"),
    [
        ("1,500 per 100,000 and 2 500 000", {1500, 100_000, 2_500_000}),
        ("between 40-60 and 3–5 %, 7 % –9 %", {40, 60, 3, 5, 7, 9}),
        ("of −2.5 to –6.25 dioptres (-1)", {-2.5, -6.25, -1}),
        ("4,7 or 0,500 in COVID-19", {4.7, 0.5, 19}),
        ("10^-9 of 10^9", {10, 9, -9}),
        ("half of them", set()),
    ],
)
def test_the_numbers_of_a_text_are_read_with_signs_and_groups(words: str, numbers: set[float]):
    assert figures(words) == numbers


def work(**fields: Any) -> Change:
    plain = {"kind": "guideline", "publisher": "x"}
    return lambda answers: answers["assessment"].update(sources=[plain | fields])


@pytest.mark.parametrize(
    ("fields", "taken"),
    [
        (
            {
                "title": "Heel pain – plantar fasciitis: clinical practice guidelines",
                "year": 2023,
                "quote": "Academy of Orthopaedic Physical\nTherapy",
            },
            True,
        ),
        (
            {
                "title": "Harrisons of Feet, Evil, 99th, 2022",
                "year": 2022,
                "quote": "Limping may overload the knee",
            },
            False,
        ),
        (
            {
                "title": "Heel Pain - Plantar Fasciitis: Clinical Practice Guidelines",
                "year": 2022,
                "quote": "Academy of Orthopaedic Physical Therapy",
            },
            False,
        ),
        (
            {
                "title": "Heel Pain - Plantar Fasciitis: Clinical Practice Guidelines",
                "year": 2023,
                "quote": "It strikes about 4 to 7 of 100 adults",
            },
            False,
        ),
    ],
)
def test_a_work_is_taken_if_its_title_and_year_stand_near_the_quoted_words(
    fields: Data, taken: bool
):
    assert bool(drafted(work(**fields)).sources) is taken


def set_at(part: str, *path: str | int, **values: Any) -> Change:
    def change(answers: Data) -> None:
        node: Any = answers[part]
        for step in path:
            node = node[step]
        node.update(values)

    return change


@pytest.mark.parametrize(
    ("change", "path"),
    [
        (set_at("identity", "frequency", per=1000), "frequency.per"),
        (set_at("identity", "codes", "icd10", text="M72.1"), "codes.icd10"),
        (set_at("identity", "codes", "icd10", text="M72"), "codes.icd10"),
        (set_at("identity", "female_share", value=0.9), "female_share"),
        (set_at("identity", "frequency", low=0.04), "frequency.low"),
        (set_at("course", "onset", 0, weight=0.4), "course.onset.0.weight"),
        (set_at("history", "medical", 0, from_age=31), "history.medical.0.from_age"),
        (
            set_at("examinations", "examinations", 0, "findings", 0, weight=0.7),
            "examinations.0.findings.0.weight",
        ),
        (
            set_at("complaints", "symptoms", 0, quote="about 1,500 per 100,000", typicality=0.015),
            "symptoms.0.typicality",
        ),
    ],
)
def test_a_number_or_code_that_the_quoted_words_do_not_hold_is_marked(change: Change, path: str):
    outline = drafted(change, "It strikes about 1,500 per 100,000.")
    assert path in made(outline).unsupported
    assert path not in {one.field for one in made(outline).evidence}


def test_what_the_quoted_words_hold_is_not_marked():
    def change(answers: Data) -> None:
        told = answers["identity"]
        told["frequency"].update(low=1500, high=1500, per=100_000, quote="1,500 per 100,000")
        told["female_share"].update(quote="55 % of the patients are women")
        answers["course"]["onset"][0].update(weight=0.3, quote="sudden in 30 % of them")

    outline = drafted(
        change, "1,500 per 100,000. 55 % of the patients are women, sudden in 30 % of them"
    )
    traced = {one.field for one in made(outline).evidence}
    assert {"codes.icd10", "female_share", "frequency", "course.onset.0"} <= traced
    held = {"frequency.low", "frequency.per", "course.onset.0.weight", "female_share"}
    assert not held & set(made(outline).unsupported)


def test_a_risk_factor_of_one_word_is_traced():
    traced = {one.field: one.quote for one in made(drafted()).evidence}
    assert traced["risk_factors.0"] == "Obesity"
    assert traced["risk_factors.3"] == "flat feet"


def after(lines: list[str], start: str) -> list[str]:
    """The line that starts so, and what is said below it."""
    place = next(at for at, line in enumerate(lines) if line.startswith(start))
    below = [line for line in lines[place + 1 : place + 3] if line.startswith("  ")]
    return [lines[place], *below]


def test_each_field_is_shown_beside_its_words():
    lines = mended(drafted(), lambda data: None)
    head, says = after(lines, "- symptoms.0:")
    assert "About 90 % of patients" in head
    assert says == "  says: stabbing pain under the heel"
    assert after(lines, "- symptoms.8") == ["- symptoms.8", "  says: heel spur"]
    assert after(lines, "- symptoms.1.typicality")[1] == "  says: 0.5"


def test_words_stay_with_their_item_when_another_is_taken_out():
    lines = mended(drafted(), lambda data: data["symptoms"].pop(0))
    head, says = after(lines, "- symptoms.0: ")
    assert "limp on bare feet" in head
    assert says == "  says: limping on bare feet"
    head, was = after(lines, "- symptoms.0, mended or taken out since: ")
    assert "About 90 %" in head
    assert was == "  when drafted: stabbing pain under the heel"
    assert lines[lines.index("- symptoms.7") + 1] == "  says: heel spur"
    assert after(lines, "- symptoms.0.typicality")[1] == "  says: 0.5"


def test_what_was_mended_need_not_be_checked_first():
    def change(data: Data) -> None:
        data["symptoms"].pop()  # the invented one
        data["symptoms"][1]["typicality"] = 0.6
        data["codes"]["icd10"] = "M72.9"

    before = made(drafted()).unsupported
    lines = mended(drafted(), change)
    assert not {"- symptoms.8", "- symptoms.1.typicality"} & set(lines)
    assert "- (and 2 that were mended or taken out since)" in lines
    assert {"symptoms.8", "symptoms.1.typicality"} <= set(before)
    head, was, *_ = after(lines, "- codes.icd10:")
    assert "(ICD-10: M72.2)" in head
    assert was == "  when drafted: M72.2"


def test_a_draft_without_what_was_told_is_shown_all_the_same():
    outline = drafted()
    plain = made(outline).model_copy(update={"told": {}})
    assert "  says: limping on bare feet" in trace(outline, plain)


def test_what_is_kept_of_a_history_is_no_fault():
    assert not [one for one in faults(drafted()) if "{n}" in one.says]


@pytest.mark.parametrize(
    "text", ["a\x85b\u2028c", "x: #\n- {", "\x1b[2J\ufeff", "'\"\\", "0", "é𝒜"]
)
def test_no_text_breaks_the_file_of_a_draft(text: str, tmp_path: Path):
    outline = drafted(set_at("complaints", "symptoms", 0, name=text, phrases=[text]))
    write_draft(tmp_path / "x.yaml", outline)
    assert read_outline(tmp_path / "x.yaml") == outline
