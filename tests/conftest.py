import os
import signal
from collections.abc import Iterator
from pathlib import Path
from tempfile import gettempdir

import pytest
from hypothesis import settings
from openai_server import OpenAIServer

# Read when the libraries are imported, so before any test's own setting.
os.environ["HF_HUB_OFFLINE"] = os.environ["HF_DATASETS_OFFLINE"] = "1"
# The cache of the user who tests is left alone; the suite's own serves all its processes.
os.environ["XDG_CACHE_HOME"] = str(Path(gettempdir()) / f"pzbench-tests-{os.getuid()}")

# A shell without a terminal starts what is in the background deaf to Ctrl-C, and its children too.
signal.signal(signal.SIGINT, signal.default_int_handler)

# A loaded machine is no failure: examples have no deadline, the tests have one (pyproject).
settings.register_profile("suite", deadline=None)
settings.load_profile("suite")


@pytest.fixture(scope="session")
def hf_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where Hugging Face's libraries keep things: one place, since what they import stays."""
    return tmp_path_factory.mktemp("hf")


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
