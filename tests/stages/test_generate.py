"""The stage `generate`: planned cases handed out, and what comes back held against the plan."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from counting import Twin, install_twin
from openai_server import OpenAIServer
from rules_run import LIBRARY, context, install, results_of, score_in, small

from bench.api.cell import Cell
from bench.api.context import Context
from bench.api.failure import Failure
from bench.api.generator import GeneratorCard
from bench.api.item import age_band
from bench.api.stage import Scope
from bench.backbones.prompt import Completion, Prompt
from bench.backbones.rules.backbone import Rules
from bench.core.errors import UserError
from bench.core.registry import BACKBONES, GENERATORS
from bench.experiments.plan import estimate
from bench.knowledge.cases import Case, plan
from bench.records.record import PatientRecord
from bench.records.record_files import ItemFile
from bench.report.results import Results
from bench.runs.folder import RunFolder
from bench.stages.generate import Generate, GenerateSettings, Handout

DEPARTMENTS = ("Orthopedics", "Urology")
CASES = list(plan(LIBRARY, DEPARTMENTS, 3, seed=1))
PLAIN: dict[str, Any] = {
    "departments": list(DEPARTMENTS),
    "cases_per_department": 3,
    "methods": ["direct"],
    "roles": {"generator": "rules"},
    "metrics": ["bleu"],
    "tables": [],
}
OTHER = {"name": "rules", "as": "other"}


def record_of(case: Case, identity: str = "") -> dict[str, Any]:
    """A record as a foreign generator yields it."""
    epidemiology = ("medical_history", "lifestyle", "vaccination_history", "family_history")
    return {
        "id": identity or case.id,
        "department": case.department,
        "basic_information": {"name": "A", "gender": case.gender, "age": case.age},
        "epidemiology": dict.fromkeys(epidemiology, ()),
        "disease_information": {"disease": case.disease, "symptoms": [case.id]},
        "examination_results": (),
    }


Yielding = Callable[[list[Case]], Iterable[Any]]


class Foreign:
    """A generator that asks nobody and yields what it is told; an exception is raised."""

    card = GeneratorCard(name="foreign", summary="", needs=())
    yielding: Yielding = staticmethod(lambda cases: map(record_of, cases))

    async def generate(self, cases: Iterable[Case], context: Context) -> AsyncIterator[Any]:
        for item in type(self).yielding(list(cases)):
            if isinstance(item, Exception):
                raise item
            yield item


@pytest.fixture
def foreign(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Installs a generator "foreign" that yields what a function of the cases gives."""

    def put(yielding: Yielding | None = None, *, paired: bool = True) -> None:
        card = GeneratorCard(name="foreign", summary="", needs=(), paired=paired)
        own: dict[str, Any] = {"card": card}
        if yielding is not None:
            own["yielding"] = staticmethod(yielding)
        made = type("Installed", (Foreign,), own)
        install(monkeypatch, GENERATORS, "foreign", made)

    return put


def ids(folder: Path, name: str) -> list[str]:
    """Ids of the records of a cell, in file order."""
    return [one.id for one in ItemFile(folder / f"items/generate/{name}.jsonl", PatientRecord)]


def told(results: Results) -> dict[str, tuple[int, int, int]]:
    """What the manifest says was planned, made and lost, by method."""
    cells = results.manifest["stages"]["generate"]["cells"]
    return {
        cell["factors"]["method"]: (cell["planned"], cell["made"], cell["failed"]) for cell in cells
    }


def test_records_stand_in_the_order_of_the_plan_whoever_is_first(
    openai_server: OpenAIServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", openai_server.url)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-x")
    openai_server.latency = 0.01
    roles = {"generator": ["rules", "openai/words"]}
    results_of(tmp_path, **{**PLAIN, "methods": ["direct", "patient-zero"], "roles": roles})
    wanted = [case.id for case in CASES]
    for backbone in ("rules", "openai%2fwords"):
        for method in ("direct", "patient-zero"):
            found = ids(tmp_path, f"{backbone}/{method}")
            assert found == [one for one in wanted if one in found]
    assert ids(tmp_path, "rules/patient-zero") == wanted


def test_more_cases_and_methods_extend_a_run(tmp_path: Path) -> None:
    results_of(tmp_path, **PLAIN)
    before = (tmp_path / "items/generate/rules/direct.jsonl").read_text("utf-8").splitlines()
    more = {"cases_per_department": 5, "methods": ["direct", "multi-step"]}
    results = results_of(tmp_path, **{**PLAIN, **more})
    after = (tmp_path / "items/generate/rules/direct.jsonl").read_text("utf-8").splitlines()
    assert [after[0:3], after[5:8]] == [before[:3], before[3:]]
    (role,) = results.manifest["roles"]
    assert role["asked"] == 4 + 2 * 10


def test_ids_are_held_against_the_plan() -> None:
    handout = Handout(CASES[:2], paired=True)
    handed = iter(handout)
    assert next(handed) == CASES[0]
    early = PatientRecord.model_validate(record_of(CASES[1]))
    assert isinstance(handout.taken(early, "generate"), Failure)
    assert list(handed) == [CASES[1]]
    good = PatientRecord.model_validate(record_of(CASES[0]))
    assert handout.taken(good, "generate") is good
    for bad in (good, PatientRecord.model_validate(record_of(CASES[0], "stranger"))):
        failure = handout.taken(bad, "generate")
        assert isinstance(failure, Failure)
        assert "no planned case" in failure.reason
    handout.failed(CASES[1].id)
    assert isinstance(handout.taken(early, "generate"), Failure)


def test_strangers_and_doubles_of_a_paired_generator_are_failures(
    tmp_path: Path, foreign: Callable[..., None]
) -> None:
    def yielding(cases: list[Case]) -> list[Any]:
        first, second, third, fourth, *rest = cases
        return [
            *(record_of(first), record_of(first), record_of(second, "stranger")),
            record_of(third),
            Failure(item=fourth.id, stage="x", outcome="refusal", reason="no"),
            *(record_of(fourth), *map(record_of, rest)),
        ]

    foreign(yielding)
    results = results_of(tmp_path, **{**PLAIN, "methods": ["foreign"]})
    assert ids(tmp_path, "none/foreign") == [CASES[at].id for at in (0, 2, 4, 5)]
    failures = RunFolder(tmp_path).failures()
    assert [(one.item, one.outcome) for one in failures] == [
        (CASES[0].id, "invalid"),
        ("stranger", "invalid"),
        (CASES[3].id, "refusal"),
        (CASES[3].id, "invalid"),
    ]
    assert {(one.stage, one.cell["method"]) for one in failures} == {("generate", "foreign")}
    assert told(results) == {"foreign": (6, 4, 4)}
    assert score_in(results, "bleu").n_missing == 2


def test_an_unpaired_generator_may_have_its_own_ids_but_none_twice(
    tmp_path: Path, foreign: Callable[..., None]
) -> None:
    def yielding(cases: list[Case]) -> list[Any]:
        return [record_of(case, f"own {number % 5}") for number, case in enumerate(cases)]

    foreign(yielding, paired=False)
    results = results_of(tmp_path, **{**PLAIN, "methods": ["direct", "foreign"]})
    assert ids(tmp_path, "none/foreign") == [f"own {number}" for number in range(5)]
    (failure,) = RunFolder(tmp_path).failures()
    assert (failure.item, failure.reason) == ("own 0", "a second record 'own 0'")
    # Nothing says how many there should be, and there is no case to pair it by.
    assert told(results)["foreign"] == (5, 5, 1)
    assert score_in(results, "bleu", method="foreign").n_missing == 0
    assert not list(results.differences)


@pytest.mark.parametrize(
    ("yielded", "outcome", "reason"),
    [
        (ValueError("broken"), "error", "ValueError: broken"),
        ({"id": "x"}, "invalid", "basic_information"),
        ("text", "invalid", "PatientRecord"),
    ],
)
def test_what_a_foreign_generator_does_wrong_costs_no_other_its_record(
    tmp_path: Path, foreign: Callable[..., None], yielded: Any, outcome: str, reason: str
) -> None:
    foreign(lambda cases: [record_of(cases[0]), yielded])
    results = results_of(tmp_path, **{**PLAIN, "methods": ["direct", "foreign"]})
    assert ids(tmp_path, "none/foreign") == [CASES[0].id]
    assert len(ids(tmp_path, "rules/direct")) == 6
    (failure,) = RunFolder(tmp_path).failures()
    assert failure.outcome == outcome
    assert reason in failure.reason
    assert told(results) == {"foreign": (6, 1, 1), "direct": (6, 6, 0)}


def test_a_fault_of_the_users_ends_the_run(tmp_path: Path, foreign: Callable[..., None]) -> None:
    foreign(lambda cases: [UserError("name another")])
    with pytest.raises(UserError, match="name another"):
        results_of(tmp_path, **{**PLAIN, "methods": ["foreign"]})


def test_a_generator_that_asks_nobody_runs_once_and_is_compared_with_every_backbones(
    tmp_path: Path, foreign: Callable[..., None]
) -> None:
    foreign()
    methods = ["direct", "foreign", "multi-step", {"name": "foreign", "as": "again"}]
    results = results_of(
        tmp_path, **{**PLAIN, "methods": methods, "roles": {"generator": ["rules", OTHER]}}
    )
    cells = [
        (result.cell["backbone"], result.cell["method"], result.score.stand_in)
        for result in results.select("bleu")
    ]
    assert cells == [
        *(("none", name, False) for name in ("foreign", "again")),
        *(("rules", name, True) for name in ("direct", "multi-step")),
        *(("other", name, True) for name in ("direct", "multi-step")),
    ]
    compared = Counter(
        tuple((cell["backbone"], cell["method"]) for cell in (result.cell, result.minus))
        for result in results.select("bleu", differences=True)
        if result.minus is not None
    )
    # The later method minus the earlier; those that ask nobody with each other but once.
    assert compared == Counter(
        [
            (("none", "again"), ("none", "foreign")),
            *(
                pair
                for backbone in ("rules", "other")
                for pair in (
                    (("none", "foreign"), (backbone, "direct")),
                    ((backbone, "multi-step"), (backbone, "direct")),
                    (("none", "again"), (backbone, "direct")),
                    ((backbone, "multi-step"), ("none", "foreign")),
                    (("none", "again"), (backbone, "multi-step")),
                )
            ),
        ]
    )


def test_lacking_records_are_counted_by_department_sex_and_age(
    tmp_path: Path, foreign: Callable[..., None]
) -> None:
    lost = {CASES[0].id, CASES[4].id, CASES[5].id}
    foreign(lambda cases: [record_of(case) for case in cases if case.id not in lost])
    settings = {"methods": ["foreign"], "roles": {"judge": "rules"}, "metrics": ["accuracy"]}
    results = results_of(tmp_path, **PLAIN | settings)
    whole = score_in(results, "accuracy")
    assert (whole.n, whole.n_missing) == (3, 3)
    groups: dict[str, Callable[[Case], str]] = {
        "department": lambda case: case.department,
        "sex": lambda case: case.gender,
        "age": lambda case: age_band(case.age),
    }
    for by, group_of in groups.items():
        there, missing = Counter[str](), Counter[str]()
        for case in CASES:
            (missing if case.id in lost else there)[group_of(case)] += 1
        for group in there | missing:
            score = score_in(results, "accuracy", "", by, group)
            assert (score.n, score.n_missing) == (there[group], missing[group])


def test_what_was_planned_is_known_without_a_record() -> None:
    scope = Scope(1, DEPARTMENTS, LIBRARY, {})
    settings = {"cases_per_department": 3, "methods": ["direct"]}
    stage = Generate(GenerateSettings.model_validate(settings), scope)
    assert stage.plan_of(CASES[2].id)["disease"] == CASES[2].disease
    assert stage.plan_of("nobody") == {}


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"methods": ["dirct"]}, "did you mean 'direct'"),
        ({"departments": ["Urologie"]}, "Urology"),
        ({"departments": ["Urology", "Urology"]}, "twice"),
        ({"methods": ["direct", "direct"]}, "`as:`"),
        ({"metrics": [{"name": "bleu", "view": "valuez"}]}, "view is 'valuez'"),
        ({"methods": []}, "at least 1"),
        ({"cases_per_department": 0}, "greater than 0"),
        ({"roles": {}}, "role 'generator'"),
    ],
)
def test_what_cannot_be_made_is_refused_before_anything_is_asked(
    tmp_path: Path, changed: dict[str, Any], named: str
) -> None:
    with pytest.raises(UserError, match=named):
        results_of(tmp_path, **{**PLAIN, **changed})
    assert not (tmp_path / "items").exists()


def test_records_written_anew_are_counted(
    openai_server: OpenAIServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", openai_server.url)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-x")
    checked = {"name": "patient-zero", "as": "checked", "plausibility": "regenerate"}
    changed = {"methods": [checked], "roles": {"generator": "openai/words"}, "tables": ["table3"]}
    results = results_of(tmp_path, **{**PLAIN, **changed})
    (path,) = (tmp_path / "items/generate").rglob("*.jsonl")
    lines = map(json.loads, path.read_text("utf-8").splitlines())
    again = sum(line["origin"]["rewritten"] > 0 for line in lines)
    assert again  # the server's verdicts are mostly, not always, good
    assert sum(results.manifest["stages"]["generate"]["rewritten"].values()) == again
    told = (tmp_path / "tables/table3.md").read_text("utf-8")
    assert f"{again} records written anew" in told


class Renaming(Twin):
    """Calls the disease of some cases by a name of its own, and writes some as another patient."""

    unknown = frozenset(case.id for case in CASES[1:3])
    off_plan = CASES[4].id

    async def complete(self, prompt: Prompt[Any], key: str) -> Completion:
        completion = await super().complete(prompt, key)
        record = json.loads(completion.text)
        case = prompt.replicate.partition("/")[0]
        if case in self.unknown and "disease_information" in record:
            record["disease_information"]["disease"] = "Nobody's disease"
        if case == self.off_plan and "basic_information" in record:
            record["basic_information"]["gender"] = "other"
        return Completion(json.dumps(record))


def test_what_strays_from_the_plan_is_counted_the_same_by_a_resumed_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, foreign: Callable[..., None]
) -> None:
    def named_anew(case: Case) -> dict[str, Any]:
        record = record_of(case)
        return {**record, "disease_information": {"disease": "x", "symptoms": []}}

    foreign(lambda cases: map(named_anew, cases))
    install(monkeypatch, BACKBONES, "renaming", Renaming)
    roles = {"generator": ["rules", "renaming"]}
    settings = {**PLAIN, "methods": ["direct", "multi-step", "foreign"], "roles": roles}
    note = "in 2 of 5 records the disease has a name that the knowledge does not know"
    for results in (results_of(tmp_path, **settings), results_of(tmp_path, **settings)):
        stage = results.manifest["stages"]["generate"]
        # A generator that asks nobody has its names from elsewhere: its own are not counted.
        assert set(stage["unknown_disease"].values()) == {2}
        assert len(stage["unknown_disease"]) == 2
        failures = RunFolder(tmp_path).failures()
        assert [(one.item, one.outcome) for one in failures] == [(CASES[4].id, "off-plan")] * 2
        for result in results.select("bleu"):
            assert (note in result.score.notes) is (result.cell["backbone"] == "renaming")


@pytest.mark.parametrize("each", [1, 9])
def test_a_plan_counts_what_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, foreign: Callable[..., None], each: int
) -> None:
    foreign()
    install_twin(monkeypatch)
    settings = {
        **PLAIN,
        "cases_per_department": each,
        "methods": ["direct", "patient-zero", "foreign"],
        "roles": {"generator": ["twin", {"name": "twin", "as": "other"}], "judge": "twin"},
        "metrics": ["accuracy"],
    }
    costs = {(cost.role, cost.label): cost.exchanges for cost in estimate(small(**settings))}
    assert costs == {
        ("generator", "twin"): 2 * each * (1 + 2),
        ("generator", "other"): 2 * each * (1 + 2),
        ("judge", "twin"): 2 * each * (2 * 2 + 1),
    }
    if each == 1:
        results = results_of(tmp_path, **settings)
        done = {
            (role["role"], role["label"]): role["asked"] + role["replayed"]
            for role in results.manifest["roles"]
        }
        assert costs == done


def test_more_cases_than_are_worked_on_at_once_are_never_held() -> None:
    """A paired generator holds no more open cases than it works on."""
    with context(generator=Rules()) as given:
        given.at_once = 4
        settings = GenerateSettings.model_validate(
            {"cases_per_department": 30, "methods": ["direct"]}
        )
        stage = Generate(settings, Scope(1, DEPARTMENTS, LIBRARY, {}))

        async def collect() -> list[Any]:
            cell = Cell(backbone="rules", method="direct")
            return [getattr(item, "id", item) async for item in stage.make(cell, {}, given)]

        assert asyncio.run(collect()) == [
            case.id for case in plan(LIBRARY, DEPARTMENTS, 30, seed=1)
        ]
