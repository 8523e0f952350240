"""What a node understands of what arrives: its capabilities' messages, and the federation's own."""

from collections.abc import Iterable
from functools import partial

from shared.capability import Capability, NodeContext
from shared.federation import evidence, notices, registry
from shared.federation.receiver import Receiver, Route
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
        )
        for capability in capabilities
        for message in capability.messages
    }
    receiver = Receiver(context.settings, post, handlers, telemetry)
    # The federation's own, which a node understands whatever it can do besides.
    handlers[registry.ENROLLED] = Route(partial(registry.handle_enrolled, post))
    handlers[registry.PUBLISHED] = Route(partial(registry.handle_published, post, receiver))
    handlers[evidence.HEADS] = Route(partial(evidence.handle, post))
    handlers.update((type_, Route(notices.handle)) for type_ in notices.TYPES.values())
    return receiver
