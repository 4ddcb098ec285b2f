"""A plug-in with its options, as a command line has it."""

from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.api.choice import parse_choice
from bench.core.errors import UserError


@pytest.mark.parametrize(
    ("text", "name", "options"),
    [
        ("bleu", "bleu", {}),
        ("openai/llama3.1:70b", "openai/llama3.1:70b", {}),
        ("openai/ft:gpt-4o-mini:org::id", "openai/ft:gpt-4o-mini:org::id", {}),
        ("ollama/llama3.1:70b:seed=7", "ollama/llama3.1:70b", {"seed": 7}),
        ("openai/a:b=c:temperature=0.5", "openai/a:b=c", {"temperature": 0.5}),
        (
            "openai/m:base_url=http://127.0.0.1:8000/v1,top_p=0.9",
            "openai/m",
            {"base_url": "http://127.0.0.1:8000/v1", "top_p": 0.9},
        ),
        (
            "vllm/m:extra_body={top_k: 0, stop: [a, 'b,c:d=e']},max_tokens={judge: 9}",
            "vllm/m",
            {"extra_body": {"top_k": 0, "stop": ["a", "b,c:d=e"]}, "max_tokens": {"judge": 9}},
        ),
    ],
)
def test_name_and_options(text: str, name: str, options: dict[str, Any]) -> None:
    choice = parse_choice(text)
    assert (choice.name, choice.options, choice.label) == (name, options, name)


WORDS = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=8)
NAMES = st.from_regex(r"[a-z_]{2,9}", fullmatch=True)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner),
    max_leaves=6,
)


@settings(max_examples=300)
@given(st.dictionaries(NAMES, VALUES, max_size=3))
def test_whatever_yaml_writes_in_flow_style_is_read_back(options: dict[str, Any]) -> None:
    options.pop("as", None)
    written = (
        yaml.safe_dump({name: value}, default_flow_style=True, width=10**9).strip()[1:-1]
        for name, value in options.items()
    )
    parts = [one.replace(": ", "=", 1) for one in written if not one.startswith(("'", '"', "?"))]
    read = parse_choice("m" + (":" + ",".join(parts) if parts else "")).options
    assert read.items() <= options.items()
    assert len(read) == len(parts)


def test_an_option_needs_a_value() -> None:
    with pytest.raises(UserError, match="seed"):
        parse_choice("openai/m:top_p=1,seed")
