"""What is asked of an exam in vain is refused in one sentence, with a plan and without one."""

from pathlib import Path

import pytest
from commands import experiment, inside

EXAM = {"questions": "sample", "cases": 1}


@pytest.mark.parametrize("plan", [(), ("--plan",)], ids=["run", "plan"])
@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (("--curve", "0,5"), "exam.curve.0: Input should be greater than 0"),
        (("--curve", "-3"), "exam.curve.0: Input should be greater than 0"),
        (("--curve", "x"), "exam.curve.0: Input should be a valid integer"),
        (("--curve", "5,5"), "exam.curve names '5' twice"),
        (
            ("--curve", "2,50", "--cases", "4"),
            "exam.curve names 50, which is more than the 4 patients of each department",
        ),
        (
            ("--method", "direct", "--method", "direct"),
            "generate.methods names 'direct' twice; tell them apart",
        ),
        (("--backbone", "rules", "--backbone", "rules"), "roles.generator names 'rules' twice"),
        (("--student", "nope"), "there is no backbone 'nope'"),
        (("--backbone", "opnai/x"), "there is no backbone 'opnai'; did you mean 'openai'?"),
        (
            ("--department", "urology"),
            "there is no department 'urology'; did you mean 'Urology'?",
        ),
    ],
)
def test_of_reproduce(
    tmp_path: Path, asked: tuple[str, ...], said: str, plan: tuple[str, ...]
) -> None:
    error = inside("reproduce", "table5", *asked, *plan, "--out", tmp_path / "run").error
    assert error.startswith(said)
    assert not (tmp_path / "run").exists()


def test_a_curve_up_to_the_last_patient_is_taken(tmp_path: Path) -> None:
    asked = ("--curve", "1,4", "--cases", "4", "--plan", "--out", tmp_path / "run")
    assert inside("reproduce", "table5", *asked).code == 0
    fewer_than_the_presets_curve = ("--cases", "2", "--plan", "--out", tmp_path / "run")
    assert inside("reproduce", "table5", *fewer_than_the_presets_curve).code == 0


def test_a_curve_of_an_experiment_file_is_come_to(tmp_path: Path) -> None:
    file = experiment(tmp_path / "x.yaml", cases_per_department=1, exam=EXAM | {"curve": [1, 7]})
    error = inside("run", file, "--plan").error
    assert error.startswith(f"{file}, line ")
    assert "exam.curve names 7, which is more than the 1 patients of each department" in error
    # The curve that is nobody's wish may go beyond.
    file = experiment(tmp_path / "x.yaml", cases_per_department=1, exam=EXAM)
    assert inside("run", file, "--plan").code == 0


def test_settings_that_do_not_go_together_are_told_in_a_plain_sentence(tmp_path: Path) -> None:
    file = experiment(tmp_path / "x.yaml", methods=["direct", "direct"])
    assert inside("run", file, "--plan").error == (
        f"{file}, line 7: generate.methods names 'direct' twice; tell them apart with `as:`"
    )


def test_the_environments_questions_are_used_where_no_others_are_named(tmp_path: Path) -> None:
    asked = ("reproduce", "table5", "--cases", "1", "--out", tmp_path / "run")
    assert "nowhere" in inside(*asked, PZBENCH_MEDQA="/nowhere").error
    assert inside(*asked, "--plan", "--medqa", "sample", PZBENCH_MEDQA="/nowhere").code == 0
