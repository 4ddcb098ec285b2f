"""What is asked of an exam in vain is refused in one sentence, with a plan and without one."""

from pathlib import Path

import pytest
from commands import experiment, inside

EXAM = {"questions": "sample", "cases": 1}


@pytest.mark.parametrize("plan", [(), ("--plan",)], ids=["run", "plan"])
@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (("--curve", "0,5"), "--curve is '0,5': give numbers of patients from 1 on, as in 5,10,20"),
        (("--curve", "-3"), "--curve is '-3': give numbers of patients from 1 on"),
        (("--curve", "5,5"), "--curve names '5' twice"),
        (
            ("--curve", "2,50", "--cases", "4"),
            "--curve names 50, but students practise on 4 patients of each department: name no "
            "more than these, or raise --cases",
        ),
        (("--curve", "9" * 30), f"--curve names {'9' * 30}, but students practise on 10 patients"),
        (
            ("--method", "direct", "--method", "direct"),
            "--method names 'direct' twice; tell them apart with as=LABEL",
        ),
        (("--backbone", "rules", "--backbone", "rules"), "--backbone names 'rules' twice"),
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
    file = experiment(tmp_path / "x.yaml", cases_per_department=1, medqa=EXAM | {"curve": [1, 7]})
    error = inside("run", file, "--plan").error
    assert error.startswith(f"{file}, line ")
    assert error.endswith(
        "medqa.curve: 7 is more than the 1 patients of each department to practise on (medqa.cases)"
    )
    # The curve that is nobody's wish may go beyond.
    file = experiment(tmp_path / "x.yaml", cases_per_department=1, medqa=EXAM)
    assert inside("run", file, "--plan").code == 0


def test_settings_that_do_not_go_together_are_told_in_a_plain_sentence(tmp_path: Path) -> None:
    file = experiment(tmp_path / "x.yaml", methods=["direct", "direct"])
    assert inside("run", file, "--plan").error == (
        f"{file}, line 1: methods names 'direct' twice; tell them apart with `as:`"
    )
    assert inside("reproduce", "table5", "--method", "direct:as=zero-shot", "--plan").error == (
        "methods names 'zero-shot', which the exam has; use `as:`"
    )
