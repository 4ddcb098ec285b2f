"""Chats as every endpoint takes them: roles that take turns, none that a model does not know."""

from collections.abc import Iterable
from itertools import groupby

from bench.backbones.prompt import Message


def joined(messages: Iterable[Message]) -> tuple[Message, ...]:
    """The messages with neighbours of one role made one: some chat templates want turns."""
    return tuple(
        Message(role, "\n\n".join(message.content for message in group))
        for role, group in groupby(messages, key=lambda message: message.role)
    )


def without_system(messages: Iterable[Message]) -> tuple[Message, ...]:
    """The messages with the system's words at the head of the user's, for models without the role.

    What comes back is joined.
    """
    return joined(
        Message("user", message.content) if message.role == "system" else message
        for message in messages
    )
