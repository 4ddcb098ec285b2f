"""A run's exam as its results and manifest tell it: what Table 5 is made of."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bench.api.metric import Difference, Score
from bench.experiments.experiment import MEDQA, ZERO_SHOT
from bench.report.tables import Named, Result, Results
from bench.runs.folder import NOBODY
from bench.students.answer import OUTCOMES, PUT
from leaderboards.paper_audit import BASELINE, COLUMNS_5, GENERATED, OURS, Fit, table5
from leaderboards.paper_figures import NOT_IN_PAPER, paper_backbone

ALL = "all departments"
PAPER = {ZERO_SHOT: BASELINE, "direct": GENERATED, "patient-zero": OURS}
"""The paper's column of each condition."""
LOST = tuple(name for name in PUT if name not in ("right", "wrong"))
"""Outcomes of questions that were put and not answered."""


@dataclass(frozen=True)
class Exam:
    """The exam of a run."""

    results: Results
    """Of the exam alone."""

    @property
    def told(self) -> dict[str, Any]:
        """What the manifest says of the exam; empty without one."""
        found: dict[str, Any] = self.results.manifest.get("medqa", {})
        return found

    @property
    def departments(self) -> tuple[str, ...]:
        """Those with questions, in the paper's order."""
        return tuple(self.told["set"]["questions"]) if self.told else ()

    @property
    def audited(self) -> bool:
        """Whether the questions are MedQA's US test split, so that the paper's may stand beside."""
        return bool(self.told and self.told["set"]["audited"])

    def sat(self) -> Iterator[tuple[Named, Named]]:
        """Each backbone with each of its conditions."""
        for backbone, method in self.results.systems():
            if self.find(backbone, method, ALL) is not None:
                yield backbone, method

    @property
    def backbones(self) -> list[Named]:
        """Backbones whose records were trained on."""
        return list(dict.fromkeys(backbone for backbone, _ in self.sat()))

    @property
    def conditions(self) -> list[Named]:
        """All conditions, untrained first."""
        found = {method for _, method in self.sat()}
        return [method for method in self.results.methods if method in found]

    def find(self, backbone: Named, method: Named, department: str) -> Result | None:
        """The score of a condition in a department or in all."""
        metric = MEDQA if department == ALL else f"{MEDQA}/{department}"
        return self.results.find(backbone.label, method.label, metric)

    def paper(self, method: Named, department: str) -> Fit | None:
        """The paper's figure, only for the paper's questions; of all departments it has none."""
        column = None if method.options else PAPER.get(method.name)
        if not self.audited or column is None:
            return None
        for group in table5():
            if group.name == department:
                return next(fit for fit in group.fits if fit.label == COLUMNS_5[column])
        return None

    def condition(self, backbone: Named, method: Named) -> dict[str, Any]:
        """What the manifest says of one condition."""
        found: dict[str, Any] = self.told["conditions"][f"{backbone.label} {method.label}"]
        return found

    def student(self, result: Result) -> str:
        """The backbone that sat the exam."""
        return str(self.condition(result.backbone, result.method)["student"])

    def comparable(self, result: Result, paper: Fit | None) -> bool:
        """Whether a student is the paper's, and no part of it is the stand-in."""
        student = self.student(result)
        ours = paper_backbone(Named(student, student)) == NOT_IN_PAPER
        return paper is not None and ours and not result.stand_in

    def outcomes(self, backbone: Named, method: Named, department: str) -> dict[str, int]:
        """How often each outcome came."""
        every: Mapping[str, dict[str, int]] = self.condition(backbone, method)["outcomes"]
        counted = every.values() if department == ALL else (every[department],)
        return {name: sum(one.get(name, 0) for one in counted) for name in OUTCOMES}

    def asked(self, department: str) -> int:
        """Questions of a department or of all."""
        counts: Mapping[str, int] = self.told["set"]["questions"]
        return sum(counts.values()) if department == ALL else counts[department]

    def missing(self, score: Score, department: str) -> tuple[int, int]:
        """Questions that were put and not answered, and those that were never put."""
        never = self.asked(department) - score.n
        return max(score.n_missing - never, 0), never

    @property
    def patients(self) -> int:
        """Patients of a department at the end; the most, where they are not all alike."""
        return max(self.told["patients"].values(), default=0)

    def points(self, backbone: Named, method: Named) -> dict[int, Result]:
        """The scores along the curve by number of patients, the end included."""
        found: dict[int, Result] = {}
        for result in self.results.results:
            _, after, cases = result.score.metric.partition(f"{MEDQA}/after-")
            if after and (result.backbone, result.method) == (backbone, method):
                found[int(cases)] = result
        last = self.find(backbone, method, ALL)
        return found | ({self.patients: last} if last else {})

    def differences(self) -> Iterator[tuple[str, str, Difference]]:
        """Label of the backbone, department, and a difference between two conditions."""
        for label, one in self.results.differences:
            metric, _, department = one.metric.partition("/")
            if metric == MEDQA:
                yield label, department or ALL, one

    def sides(self, label: str, one: Difference) -> list[Result | None]:
        """The scores of both sides of a difference, of one's own or of nobody's records."""
        sides, writers = (one.first, one.second), (label, NOBODY)
        return [self.results.find(own, side, MEDQA) for side in sides for own in writers]
