import os
from collections.abc import Iterator

import pytest
from hypothesis import settings
from openai_server import OpenAIServer

# Read when the libraries are imported, so before any test's own setting.
os.environ["HF_HUB_OFFLINE"] = os.environ["HF_DATASETS_OFFLINE"] = "1"

# A loaded machine is no failure: examples have no deadline, the tests have one (pyproject).
settings.register_profile("suite", deadline=None)
settings.load_profile("suite")


@pytest.fixture
def openai_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenAIServer]:
    """A real OpenAI-compatible server on a free port; no key of the user's is in reach."""
    for variable in (
        "OPENAI_API_KEY",
        "OPENAI_BASE_URL",
        "OPENAI_ORG_ID",
        "OPENAI_PROJECT_ID",
        "OPENAI_API_VERSION",
        "AZURE_OPENAI_API_KEY",
        "AZURE_OPENAI_AD_TOKEN",
        "AZURE_OPENAI_ENDPOINT",
    ):
        monkeypatch.delenv(variable, raising=False)
    server = OpenAIServer().start()
    yield server
    server.stop()
