from pathlib import Path

import pytest

from bench.agents import styles as module
from bench.agents.patient import PROMPT
from bench.agents.styles import PLANNED, style, styles
from bench.core.errors import UserError

CAPS = {"plain": 3, "upset": 3, "verbose": 8, "reserved": 3, "tangent": 5, "pleasing": 5}


def test_the_six_styles_and_their_sentence_caps() -> None:
    assert {name: one.sentences for name, one in styles().items()} == CAPS
    assert len({one.description for one in styles().values()}) == 6
    assert tuple(CAPS) == PLANNED


@pytest.mark.parametrize("name", CAPS)
def test_a_style_is_told_to_the_patient(name: str) -> None:
    system, _ = PROMPT.messages(memory="", style=style(name), question="?", avoid=())
    assert style(name).description in system.content
    assert f"more than {CAPS[name]} sentences" in system.content


def test_an_unknown_style_names_the_nearest() -> None:
    with pytest.raises(UserError, match="no style 'verbos'; did you mean 'verbose'"):
        style("verbos")


def test_a_new_style_is_a_new_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "styles.yaml"
    file.write_text(module.FILE.read_text() + "shy:\n  description: You are shy.\n  sentences: 2\n")
    monkeypatch.setattr(module, "FILE", file)
    styles.cache_clear()
    try:
        assert style("shy").sentences == 2
    finally:
        styles.cache_clear()


@pytest.mark.parametrize("entry", ["shy:\n  sentences: 0\n  description: x\n", "shy: 3\n"])
def test_a_broken_entry_is_the_users_error(
    entry: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "styles.yaml"
    file.write_text(entry)
    monkeypatch.setattr(module, "FILE", file)
    styles.cache_clear()
    with pytest.raises(UserError, match=r"styles.yaml, line 1.*shy|styles.yaml, line 2.*shy"):
        styles()
    styles.cache_clear()
