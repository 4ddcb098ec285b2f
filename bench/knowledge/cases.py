"""Planned patients: every method gets the same cases, so every comparison is paired."""

import hashlib
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.knowledge.library import Library
from bench.knowledge.outline import AgeGroup, Gender, Outline


@dataclass(frozen=True)
class Case:
    """One planned patient."""

    id: str
    """For instance "ORT-02-0007": disease id and number within the disease."""
    department: str
    disease: str
    """Name of the disease."""
    gender: Gender
    age_group: AgeGroup
    age: int
    """Age in years, within the group and the disease's plausible ages."""
    seed: int
    """Seed of whatever is drawn for this case."""


def derive_seed(*parts: object) -> int:
    """A 64-bit seed that depends on all parts and on nothing else."""
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def plan(
    library: Library, departments: Sequence[str], per_department: int, seed: int
) -> Iterator[Case]:
    """Cases by department, diseases in turn (paper section 4.1.1).

    Sexes alternate within a disease unless it is bound to one; age groups are drawn by the
    outline's weights, ages evenly within the outline's plausible ages. A case depends on the seed,
    its disease and its number alone, so a longer plan begins with the shorter one.

    Raises:
        UserError: for an unknown department.
    """
    for department in departments:
        diseases = library.diseases(department)
        for index in range(per_department):
            turn, place = divmod(index, len(diseases))
            yield plan_case(library.get(diseases[place].id), turn, seed)


def plan_case(outline: Outline, number: int, seed: int) -> Case:
    """The case of a disease with a number from 0."""
    drawn = random.Random(derive_seed(seed, outline.id, number))
    first_is_female = derive_seed(seed, outline.id, "sex") % 2 == 0
    alternate: Gender = "female" if (number % 2 == 0) == first_is_female else "male"
    (band,) = drawn.choices(outline.ages, weights=[band.weight for band in outline.ages])
    return Case(
        id=f"{outline.id}-{number + 1:04d}",
        department=outline.department,
        disease=outline.name,
        gender=alternate if outline.sex == "any" else outline.sex,
        age_group=band.group,
        age=drawn.randint(band.low, band.high),
        seed=drawn.getrandbits(64),
    )
