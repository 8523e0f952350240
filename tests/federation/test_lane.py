"""Whole histories of one lane, played against its pure core: losses, repetitions, crashes, restored backups.

Two ends keep what a node's tables keep, and do with :mod:`shared.federation.lane` what the sender, the receiver and the
reconciliation do. Between them lies a network that loses, repeats, delays and reorders. Either end may be put back to
an older backup, or change its key. Whatever happens, each message has its effect once, in the order of the lane; what
both ends have lost is lost; nothing else is; and an end that cannot tell stops rather than guesses.
"""

import copy
import itertools
from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
)

from shared.federation.lane import (
    Agreed,
    Diverged,
    Gap,
    NoCommonPosition,
    Position,
    Wanted,
    beginning,
    compare,
    goes_on_from,
    links_after,
    take_in,
)

LANE = "request"


@dataclass(frozen=True)
class Letter:
    """A message; ``signature`` names the key that it was signed with."""

    name: int
    signature: str

    @property
    def envelope(self) -> bytes:
        return str(self.name).encode()


@dataclass(frozen=True)
class Batch:
    first: int
    previous: bytes | None
    letters: tuple[Letter, ...]


@dataclass
class Sender:
    """What a sender's tables hold."""

    waiting: list[Letter] = field(default_factory=list)
    sent: list[Letter] = field(default_factory=list)
    links: list[bytes | None] = field(default_factory=lambda: [beginning(LANE).link])
    acknowledged: int = 0

    def position(self, number: int) -> Position | None:
        return Position(number, self.links[number]) if number < len(self.links) else None

    def next_batch(self, most: int) -> Batch | None:
        room = most - (len(self.sent) - self.acknowledged)
        fresh = self.waiting[: max(room, 0)]
        del self.waiting[: len(fresh)]
        self.links += links_after(self.links[-1] or b"", fresh)
        self.sent += fresh
        letters = tuple(self.sent[self.acknowledged : self.acknowledged + most])
        if not letters:
            return None
        return Batch(self.acknowledged + 1, self.links[self.acknowledged], letters)

    def acknowledge(self, received: Position) -> None:
        if received.number <= self.acknowledged:
            return
        own = self.position(received.number)
        if own is None or own.link != received.link:
            raise Diverged
        self.acknowledged = received.number

    def go_back(self, number: int) -> None:
        self.waiting = self.sent[number:] + self.waiting
        del self.sent[number:]
        del self.links[number + 1 :]


@dataclass
class Receiver:
    """What a receiver's tables hold; its effects are in the same database."""

    received: list[Letter] = field(default_factory=list)
    links: list[bytes | None] = field(default_factory=lambda: [beginning(LANE).link])

    @property
    def position(self) -> Position:
        return Position(len(self.received), self.links[-1])

    def take(self, batch: Batch) -> None:
        taken = take_in(self.position, batch.first, batch.previous, batch.letters)
        self.received += batch.letters[taken.skipped :]
        self.links += taken.links
        assert self.position == taken.position

    def after(self, number: int) -> Batch:
        return Batch(number + 1, self.links[number], tuple(self.received[number:]))


class LaneMachine(RuleBasedStateMachine):
    """One lane, its two ends, and everything that goes wrong between them."""

    sender_backups = Bundle("sender_backups")
    receiver_backups = Bundle("receiver_backups")

    def __init__(self) -> None:
        super().__init__()
        self.sender, self.receiver = Sender(), Receiver()
        self.under_way: list[Batch] = []
        self.acknowledgements: list[Position] = []
        self.names = itertools.count(1)
        self.key = "key 1"
        self.stopped = False

    # What a sender and a receiver do

    def post(self, count: int) -> None:
        self.sender.waiting += [Letter(next(self.names), self.key) for _ in range(count)]

    @precondition(lambda self: not self.stopped)
    @rule(
        count=st.integers(0, 4),
        most=st.integers(1, 5),
        late=st.booleans(),
        acknowledged=st.booleans(),
    )
    def exchange(self, count: int, most: int, late: bool, acknowledged: bool) -> None:  # noqa: FBT001 - drawn
        """Post something, send a batch, and perhaps have it and its acknowledgement arrive."""
        self.post(count)
        batch = self.sender.next_batch(most)
        if batch is None:
            return
        self.under_way.append(batch)
        if not late and self.arrive(batch) and acknowledged:
            self.hear(self.receiver.position)

    @precondition(lambda self: self.under_way)
    @rule(data=st.data())
    def deliver_late_or_again(self, data: st.DataObject) -> None:
        self.arrive(data.draw(st.sampled_from(self.under_way)))

    @precondition(lambda self: self.acknowledgements and not self.stopped)
    @rule(data=st.data())
    def acknowledge_late_or_again(self, data: st.DataObject) -> None:
        self.hear(data.draw(st.sampled_from(self.acknowledgements)))

    def arrive(self, batch: Batch) -> bool:
        """Bring a batch to the receiver; what it refuses changes nothing."""
        before = copy.deepcopy(self.receiver)
        try:
            self.receiver.take(batch)
        except (Gap, Diverged):
            assert self.receiver == before
            return False
        self.acknowledgements.append(self.receiver.position)
        return True

    def hear(self, received: Position) -> None:
        """Bring an acknowledgement to the sender; what it cannot believe changes nothing."""
        before = self.sender.acknowledged
        try:
            self.sender.acknowledge(received)
        except Diverged:
            assert self.sender.acknowledged == before

    # What befalls them

    @rule(target=sender_backups)
    def back_up_the_sender(self) -> Sender:
        return copy.deepcopy(self.sender)

    @rule(target=receiver_backups)
    def back_up_the_receiver(self) -> Receiver:
        return copy.deepcopy(self.receiver)

    @rule(backup=sender_backups)
    def restore_the_sender(self, backup: Sender) -> None:
        self.sender = copy.deepcopy(backup)
        self.crash()

    @rule(backup=receiver_backups)
    def restore_the_receiver(self, backup: Receiver) -> None:
        self.receiver = copy.deepcopy(backup)
        self.crash()

    @rule()
    def rotate_the_key(self) -> None:
        self.key = f"key {next(self.names)}"

    @rule()
    def crash(self) -> None:
        """What is committed stays; a child that starts reconciles before anything else."""
        if not self.stopped:
            self.reconcile()

    def reconcile(self) -> None:
        sender, receiver = self.sender, self.receiver
        for _ in range(3):
            received = receiver.position
            try:
                verdict = compare(received, acknowledged=sender.acknowledged, own=sender.position)
            except NoCommonPosition:
                self.stop()
                return
            match verdict:
                case Agreed(position):
                    sender.acknowledged = position.number
                    return
                case Wanted(after):
                    given = receiver.after(after)
                    if not goes_on_from(sender.position(after), given.previous):
                        self.stop()
                        return
                    sender.go_back(after)
                    sender.sent += given.letters
                    sender.links += links_after(sender.links[-1] or b"", given.letters)
                    known = set(given.letters)
                    sender.waiting = [each for each in sender.waiting if each not in known]
                    sender.acknowledged = after + len(given.letters)
        raise AssertionError("reconciling came to no end")

    def stop(self) -> None:
        """An operator is called. That is right only where the two histories really forked."""
        common = min(len(self.sender.sent), len(self.receiver.received))
        assert self.sender.sent[:common] != self.receiver.received[:common]
        self.stopped = True

    # What holds at every moment

    @invariant()
    def each_effect_happens_once(self) -> None:
        names = [letter.name for letter in self.receiver.received]
        assert len(names) == len(set(names))

    @invariant()
    def a_link_is_that_of_the_history_before_it(self) -> None:
        for links, letters in (
            (self.sender.links, self.sender.sent),
            (self.receiver.links, self.receiver.received),
        ):
            assert links[1:] == links_after(links[0] or b"", letters)

    def teardown(self) -> None:
        """Heal everything: what either end still has arrives, once, and in the order of the lane."""
        self.under_way.clear()
        self.crash()
        if not self.stopped:
            self.deliver_the_rest()

    def deliver_the_rest(self) -> None:
        had = [*self.receiver.received]
        still_to_come = [*self.sender.sent[self.sender.acknowledged :], *self.sender.waiting]
        while (batch := self.sender.next_batch(3)) is not None:
            self.receiver.take(batch)
            self.sender.acknowledge(self.receiver.position)
        assert self.receiver.received == had + still_to_come
        assert self.receiver.received == self.sender.sent


LaneMachine.TestCase.settings = settings(
    max_examples=300, stateful_step_count=40, deadline=None, derandomize=True
)
TestLane = LaneMachine.TestCase
