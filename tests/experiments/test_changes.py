"""What a resumed run may change, may grow, and may not: each setting says so itself."""

from pathlib import Path
from typing import Any

import pytest
from rules_run import small

from bench.core.errors import UserError
from bench.experiments.changes import digest_of, refuse_changes

INTERVIEW = {"patients_per_department": 2, "questions": 3, "formats": ["json", "text"]}
TALKED: dict[str, Any] = {"interview": INTERVIEW}
FOLDER = Path("runs/x")


def refused(before: dict[str, Any], after: dict[str, Any]) -> str | None:
    """The sentence that refuses the change; none if it is allowed."""
    try:
        refuse_changes(small(**before), small(**after), FOLDER)
    except UserError as error:
        return str(error)
    return None


@pytest.mark.parametrize(
    ("before", "after", "named"),
    [
        ({"seed": 1}, {"seed": 2}, "seed is 1 there and 2 now"),
        ({"cases_per_department": 4}, {"cases_per_department": 3}, "generate.cases_per_department"),
        ({"departments": ["all"]}, {"departments": ["Urology"]}, "departments"),
        ({"methods": ["direct"]}, {"methods": ["multi-step"]}, "generate.methods is direct there"),
        (
            {"methods": ["patient-zero"]},
            {"methods": [{"name": "patient-zero", "plausibility": "regenerate"}]},
            "generate.methods",
        ),
        (
            {"roles": {"generator": "rules"}},
            {"roles": {"generator": "openai/x"}},
            "roles.generator",
        ),
        ({}, {"roles": {"generator": "rules", "judge": "openai/x"}}, "roles.judge"),
        ({"metrics": ["bleu"]}, {"metrics": []}, "metrics is bleu there and none now"),
        (TALKED, {}, "interview is there there and absent now"),
        # Nobody was named, so the generator's backbone answered.
        (
            TALKED,
            TALKED | {"roles": {"generator": "rules", "judge": "rules", "patient": "openai/x"}},
            "roles.patient",
        ),
        *(
            (TALKED, {"interview": INTERVIEW | {name: value}}, f"interview.{name}")
            for name, value in {
                "questions": 4,
                "patients_per_department": 1,
                "formats": ["json"],
                "interactions": ["cross-with"],
                "triplets": "per-fact",
                "updating": "algorithm",
                "decomposition": "model",
                "styles": ["plain"],
            }.items()
        ),
    ],
)
def test_a_change_is_refused_and_named(before, after, named):
    assert named in (refused(before, after) or "")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"cases_per_department": 4}, {"cases_per_department": 5}),
        ({"departments": ["Urology"]}, {"departments": ["all"]}),
        ({"methods": ["direct"]}, {"methods": ["multi-step", "direct"]}),
        ({"metrics": []}, {"metrics": ["bleu"]}),
        ({"tables": ["rows"]}, {"tables": ["table3"]}),
        ({"roles": {"generator": "rules"}}, {"roles": {"generator": "rules", "judge": "rules"}}),
        ({"roles": {"generator": "rules"}}, {"roles": {"generator": ["openai/x", "rules"]}}),
        ({}, TALKED),
        (TALKED, {"interview": INTERVIEW | {"formats": ["text", "atomic", "json"]}}),
        (
            {"roles": {"generator": {"name": "openai/x", "base_url": "http://a/v1"}}},
            {"roles": {"generator": {"name": "openai/x", "base_url": "http://b/v1"}}},
        ),
    ],
)
def test_growing_and_moving_is_allowed(before, after):
    assert refused(before, after) is None


def test_the_digest_is_of_what_may_change_an_answer():
    moved = {"roles": {"generator": {"name": "openai/x", "base_url": "http://a/v1"}}}
    assert digest_of(small(**moved)) == digest_of(small(roles={"generator": "openai/x"}))
    assert digest_of(small(seed=1)) != digest_of(small(seed=2))
    assert digest_of(small(tables=["rows"])) == digest_of(small(tables=["table3"]))
