"""Vertex AI's endpoint, asked with Google's default credentials."""

import asyncio
import os
import re
from typing import TYPE_CHECKING, Any

from bench.backbones.openai.backbone import OpenAI
from bench.backbones.openai.providers import PROVIDERS, Place
from bench.backbones.prompt import Unreachable
from bench.core.errors import UserError
from bench.core.text import one_line

if TYPE_CHECKING:
    from openai import AsyncOpenAI

SCOPE = "https://www.googleapis.com/auth/cloud-platform"


class Vertex(OpenAI):
    """A model on Vertex AI behind the chat-completions protocol."""

    provider = PROVIDERS["vertex"]
    transport = (*OpenAI.transport, "project", "location")

    def __init__(
        self, model: str, *, project: str | None = None, location: str | None = None, **options: Any
    ) -> None:
        """Name a model.

        Args:
            model: Publisher and name, for instance google/gemini-2.5-flash.
            project: The cloud project; or GOOGLE_CLOUD_PROJECT.
            location: For instance europe-west4; or GOOGLE_CLOUD_LOCATION, else global.
            options: As for OpenAI; an address in base_url gets no credentials.

        Raises:
            UserError: an option has no sense.
        """
        super().__init__(model, **options)
        self._project = project
        self._location = location
        self._credentials: Any = None
        self._find()  # now, as any address is read

    def _find(self) -> Place:
        if self._base_url is not None:
            return super()._find()
        project = self._project or os.environ.get("GOOGLE_CLOUD_PROJECT", "").strip()
        location = self._location or os.environ.get("GOOGLE_CLOUD_LOCATION", "").strip()
        if not project:
            return Place("", "", own=False)
        return Place(self._address(project, location or "global"), "", own=True)

    def _address(self, project: str, location: str) -> str:
        for name, value, extra in (("project", project, ".:"), ("location", location, "")):
            if not re.fullmatch(f"[A-Za-z0-9][A-Za-z0-9{extra}-]*", value):
                raise UserError(f"{self.name}: {name} is no name of a {name}.")
        area = "" if location == "global" else f"{location}-"
        return (
            f"https://{area}aiplatform.googleapis.com/v1/projects/{project}"
            f"/locations/{location}/endpoints/openapi"
        )

    @property
    def _advice(self) -> str:
        return "check the model's name, project and location, and that the credentials may use it"

    def _connect(self) -> "AsyncOpenAI":
        if not self._find().address:
            raise UserError(
                f"{self.name} needs a project: set the option project or the environment variable "
                "GOOGLE_CLOUD_PROJECT."
            )
        client = super()._connect()
        self._renewing = asyncio.Lock()
        return client

    async def _bearing(self) -> dict[str, str]:
        if self._place.own and self._key_env is None:
            async with self._renewing:  # one renews for all
                self._secret = await asyncio.to_thread(self._token)
        return await super()._bearing()

    def _token(self) -> str:
        """The present access token, renewed where it ends soon.

        Raises:
            UserError: there are no credentials, or they are refused.
            Unreachable: the token's server cannot be reached.
        """
        try:
            import google.auth
            from google.auth import exceptions
            from google.auth.transport.requests import Request
        except ImportError as error:
            raise UserError(
                f"{self.name} needs google-auth: pip install 'patient-zero-bench[vertex]'"
            ) from error
        try:
            if self._credentials is None:
                self._credentials, _ = google.auth.default(scopes=[SCOPE])
            if not self._credentials.valid:
                self._credentials.refresh(Request())
        except exceptions.TransportError as error:
            why = type(error).__name__
        except exceptions.GoogleAuthError as error:
            refused = one_line(str(error.args[0] if error.args else error))[:200]
            raise UserError(
                f"{self.name}: Google's default credentials cannot be used ({refused}): set "
                "GOOGLE_APPLICATION_CREDENTIALS or run gcloud auth application-default login."
            ) from None
        else:
            return str(self._credentials.token)
        raise Unreachable(f"{self.name}: the server of access tokens cannot be reached ({why})")
