"""What a node understands of what arrives: its capabilities' messages, and the federation's own."""

from collections.abc import Iterable
from datetime import timedelta
from functools import partial

from shared.capability import Capability, NodeContext
from shared.federation import (
    evidence,
    freshness,
    membership,
    notices,
    redirection,
    registry,
    rotation,
)
from shared.federation.delivery import Route
from shared.federation.receiver import Receiver
from shared.federation.telemetry import Telemetry


def make_receiver(
    context: NodeContext, capabilities: Iterable[Capability], telemetry: Telemetry | None = None
) -> Receiver:
    """Put together what receives the messages of a node with these capabilities."""
    post = context.post
    handlers: dict[str, Route] = {
        message.type: Route(
            partial(message.handle, context),
            transit=message.transit,
            recovered=message.recovered and partial(message.recovered, context),
            handle_together=message.handle_together and partial(message.handle_together, context),
        )
        for capability in capabilities
        for message in capability.messages
    }
    receiver = Receiver(context.settings, post, handlers, telemetry)
    # The federation's own, which a node understands whatever it can do besides.
    key_life = timedelta(days=context.settings.key_life_days)
    handlers[membership.ENROLLED] = Route(partial(membership.handle_enrolled, post, key_life))
    handlers[membership.WITHDRAWN] = Route(partial(membership.handle_withdrawn, post))
    handlers[rotation.ANNOUNCED] = Route(partial(rotation.handle_announced, post, context.settings))
    handlers[redirection.REDIRECTED] = Route(partial(redirection.handle, receiver))
    handlers[freshness.SAID] = Route(partial(freshness.handle_said, post))
    handlers[freshness.ASKED] = Route(partial(freshness.handle_asked, post))
    handlers[registry.PUBLISHED] = Route(partial(registry.handle_published, post, receiver))
    handlers[evidence.HEADS] = Route(partial(evidence.handle, post))
    handlers.update((type_, Route(notices.handle)) for type_ in notices.TYPES.values())
    return receiver
