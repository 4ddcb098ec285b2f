"""Who answered, beside who was asked."""

from collections import Counter

import pytest

from bench.backbones.account import Account


@pytest.mark.parametrize(
    ("asked", "served"),
    [
        ("openai/gpt-4o", "gpt-4o"),
        ("openai/gpt-4o", "gpt-4o-2024-08-06"),
        ("openai/gpt-4", "gpt-4-0613"),
        ("openrouter/meta-llama/llama-3.1-8b", "llama-3.1-8b"),
        ("openrouter/llama-3.1-8b", "meta-llama/Llama-3.1-8B"),
        ("ollama/qwen3", "qwen3:latest"),
        ("hf/smollm2", "hf/smollm2"),
    ],
)
def test_a_dated_copy_is_the_model_that_was_asked(asked: str, served: str) -> None:
    assert Account(served=Counter({served: 3})).notes("the judge mine", asked) == ()


@pytest.mark.parametrize(
    ("asked", "served"),
    [
        ("openai/gpt-4o", "gpt-4o-mini"),
        ("openai/gpt-4o-2024-08-06", "gpt-4o-2024-11-20"),
        ("openai/gpt-4o", "gpt-4o-mini-2024-07-18"),
        ("vllm/llama", "some-other"),
    ],
)
def test_another_model_than_asked_is_told(asked: str, served: str) -> None:
    account = Account(served=Counter({served: 3}))
    (note,) = account.notes("the judge mine", asked)
    assert served in note and "3" in note and "mine" in note
    assert account.notes("the judge mine", asked, alias=True) == ()


def test_several_models_are_told_with_counts() -> None:
    served = Counter({"gpt-4o-2024-08-06": 7, "gpt-4o-2024-11-20": 5})
    (note,) = Account(served=served).notes("the judge x", "openai/gpt-4o", alias=True)
    assert all(f"{model} ({count})" in note for model, count in served.items())


def test_a_temperature_that_was_refused_is_told_and_other_shapes_are_not() -> None:
    account = Account(
        shapes=Counter({"json strict, no temperature, no top_p": 4, "json bounded": 1})
    )
    (note,) = account.notes("the judge x", "openai/o", drawn=["temperature", "seed"])
    assert "temperature" in note and "4" in note
    assert account.notes("the judge x", "openai/o", drawn=["seed"]) == ()
    assert len(account.notes("the judge x", "openai/o", drawn=["temperature", "top_p"])) == 2
