"""What counts as an answer: whatever JSON stands in whatever place."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.backbones.openai.reading import Broken, Heard, completion
from bench.backbones.openai.said import codes, parameter, said
from bench.backbones.prompt import Completion

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(codec=None), max_size=8)
    | st.sampled_from(["stop", "text", "thinking", "error", "length"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "text", "thinking", "content", "error", "message", "finish_reason", "x"]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=6,
)
PLACES = (
    *((), ("choices",), ("choices", 0), ("model",), ("usage",), ("error",)),
    *((("usage", name)) for name in ("prompt_tokens", "completion_tokens")),
    *(("choices", 0, name) for name in ("message", "delta", "finish_reason", "error", "index")),
    *(
        ("choices", 0, key, name)
        for key in ("message", "delta")
        for name in ("content", "refusal", "reasoning", "reasoning_content", "reasoning_details")
    ),
)


def body(content: Any = "Yes.", finish: Any = "stop", **message: Any) -> dict[str, Any]:
    said = {"role": "assistant", "content": content, **message}
    choice = {"index": 0, "message": said, "delta": dict(said), "finish_reason": finish}
    return {"id": "x", "model": "m", "choices": [choice], "usage": {"prompt_tokens": 3}}


def put(value: Any, place: tuple[Any, ...], into: Any) -> Any:
    if not place:
        return value
    held = into
    for step in place[:-1]:
        held = held[step]
    held[place[-1]] = value
    return into


@given(JSON, st.sampled_from(PLACES))
def test_any_value_in_any_place_is_a_completion_or_a_fault(value: Any, place: tuple[Any, ...]):
    odd = put(value, place, body())
    for read in (completion, pieced):
        try:
            found = read(odd)
        except Broken as broken:
            assert str(broken)
        else:
            stored = json.dumps(vars(found), ensure_ascii=False).encode(errors="replace")
            assert Completion(**json.loads(stored)).outcome == found.outcome
            assert all(isinstance(one, str) for one in (found.text, found.thinking, found.finish))


def pieced(chunk: Any) -> Completion:
    heard = Heard("delta")
    chunks: tuple[Any, ...] = (None, chunk, {"choices": []}, {"choices": None, "usage": 7})
    for one in chunks:
        heard.take(one)
    return heard.completion()


@given(JSON)
def test_an_error_of_any_form_is_told_in_one_line(value: Any):
    for error in (value, {"error": value}, [{"error": value}], {"detail": value, "code": value}):
        for told in (said(error), codes(error), parameter(error)):
            assert isinstance(told, str)
        assert said(error) == " ".join(said(error).split())
    assert "So it is." in said({"error": {"message": "So it is.", "type": value, "code": value}})


@given(JSON, JSON, JSON)
def test_no_usage_model_or_other_choice_costs_a_paid_answer(usage: Any, model: Any, other: Any):
    odd = body() | {"usage": usage, "model": model}
    odd["choices"].append(other)
    found = completion(odd)
    assert (found.text, found.outcome, found.finish) == ("Yes.", "answer", "stop")


TEXT = st.fixed_dictionaries({"type": st.just("text"), "text": st.text(max_size=5)})
THOUGHT = st.text(max_size=5).flatmap(
    lambda text: st.sampled_from(
        [
            {"type": "thinking", "thinking": text},
            {"type": "thinking", "thinking": [{"type": "text", "text": text}]},
            {"type": "reasoning", "text": text},
            {"type": "text", "text": text, "thought": True},
        ]
    )
)
OTHER = st.sampled_from([{"type": "image_url", "text": None}, {"type": "new", "text": "no"}, None])


@given(st.lists(TEXT | THOUGHT | OTHER, max_size=6), st.data())
def test_of_parts_only_texts_are_the_answer(parts: list[Any], data: st.DataObject):
    said = "".join(
        one["text"]
        for one in parts
        if one is not None and one["type"] == "text" and "thought" not in one
    )
    assert completion(body(parts)).text == said
    cut = data.draw(st.integers(0, len(parts)))
    heard = Heard("delta")
    pieces = [heard.take(body(some, None)) for some in (parts[:cut], parts[cut:])]
    assert "".join(pieces) == heard.completion().text == said
    assert heard.completion().thinking == completion(body(parts)).thinking


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ({"score": 3, "text": "x"}, '{"score": 3, "text": "x"}'),
        ([{"fact": "F1"}], '[{"fact": "F1"}]'),
        ({"type": "text", "text": "Yes."}, "Yes."),
        (["Y", "es."], "Yes."),
        (None, ""),
        (True, "true"),
        ("half \ud83d", "half \ud83d"),
    ],
)
def test_content_of_any_form(content: Any, text: str):
    assert completion(body(content)).text == text


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning", "thinking"])
def test_thinking_beside_the_content_is_no_answer(name: str):
    found = completion(body(None, **{name: "I wonder.", "reasoning_details": [{"text": "I w"}]}))
    assert (found.text, found.thinking) == ("", "I wonder.")
    details = [{"type": "reasoning.summary", "summary": "I "}, {"text": "w", "data": "x"}]
    assert completion(body(reasoning_details=details)).thinking == "I w"


@pytest.mark.parametrize(
    ("words", "outcome"),
    [
        (("stop", "STOP", "eos", "end_turn", "stop_sequence", "eos_token", None, ""), "answer"),
        (("length", "MAX_TOKENS", "model_length", "max_output_tokens", "tool_calls"), "cut"),
        (
            ("content_filter", "content-filter", "SAFETY", "RECITATION", "refusal", "SPII"),
            "refusal",
        ),
        (("time_up", "OTHER", "unknown", 7, True, {"stop": 1}, ["stop"]), "cut"),
        (("error", "ERROR", "network_error"), None),
    ],
)
def test_only_a_normal_end_is_whole(words: tuple[Any, ...], outcome: str | None):
    for word in words:
        if outcome is None:
            with pytest.raises(Broken):
                completion(body(finish=word))
        else:
            assert completion(body(finish=word)).outcome == outcome, word


@given(st.text(max_size=12))
def test_a_word_nobody_knows_is_never_whole(word: str):
    assert completion(body(finish=f"odd {word}")).outcome == "cut"


def test_an_end_without_a_message():
    told = body(finish="length")
    del told["choices"][0]["message"]
    assert (completion(told).text, completion(told).outcome) == ("", "cut")
    told["choices"][0]["finish_reason"] = None
    with pytest.raises(Broken, match="without a message"):
        completion(told)


def test_an_error_within_a_success_is_none():
    for error in ({"code": 502, "message": "Upstream"}, "Upstream"):
        beside, within = body(), body()
        beside["error"] = within["choices"][0]["error"] = error
        for told in (beside, within, {"error": error}):
            with pytest.raises(Broken, match="Upstream"):
                completion(told)
            with pytest.raises(Broken, match="Upstream"):
                Heard("delta").take(told)


@pytest.mark.parametrize("told", ["many", "12", 1.5, True, -1, None, [3], 2**70])
def test_a_number_of_tokens_that_is_none_is_unknown(told: Any):
    found = completion(body() | {"usage": {"completion_tokens": told}})
    assert (found.text, found.output_tokens) == ("Yes.", None)


def test_a_character_in_two_pieces_is_put_together() -> None:
    heard = Heard("delta")
    pieces = [
        heard.take({"choices": [{"delta": {"content": text}}]})
        for text in ("It hurts \ud83d", "\ude00 here", " \ud83d", "x")
    ]
    assert pieces == ["It hurts ", "\U0001f600 here", " ", "\ud83dx"]
    assert heard.completion().text == "It hurts \U0001f600 here \ud83dx"
