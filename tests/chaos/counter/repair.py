"""A broken telephone of a customer of another city, and another one meanwhile."""

from uuid import UUID

from shared.kernel.ids import derived_id
from tests.chaos.counter.desk import IN_STOCK, NOBODY, Desk, Request, Served, Step, question
from tests.chaos.counter.people import Person

KIND = "repair"
DAMAGED = "damaged"


async def repair(desk: Desk, person: Person, key: UUID) -> list[Served]:
    """Repair a telephone.

    One in eight is said to be that of a number that nobody has, one in ten is taken away again before there is an
    estimate, and one in ten after it. Half of the others have another telephone meanwhile, and one in ten of those
    damages it.
    """
    body = {**question(person), "make": "Huawei", "model": "Mate 60", "imei": person.imei}
    msisdn = NOBODY if key.int % 8 == 0 else person.msisdn
    asked = {**body, "msisdn": msisdn, "fault": "broken glass"}
    request = desk.accept(KIND, await desk.clerk.post("/repairs", asked, key))
    if request is None:
        return []
    work = _Work(desk, key)
    request = await desk.follow(f"/repairs/{request['id']}", key, work.next_step)
    if request["state"] == "completed":
        rating = {"score": 1 + key.int % 5}
        path = f"/repairs/{request['id']}/satisfaction"
        await desk.clerk.post(path, rating, derived_id(key, "satisfaction"))
    return [Served(KIND, request["state"])]


class _Work:
    """What there is to do about one broken telephone."""

    def __init__(self, desk: Desk, key: UUID) -> None:
        self._desk = desk
        self._key = key
        self._handset: str | None = None

    def next_step(self, request: Request) -> Step | None:
        """Return what is to be done next."""
        chance = self._key.int
        self._note_loan(request)
        step: Step | None = None
        match request["state"]:
            case "confirmed" if chance % 10 == 0:
                step = "cancel", {"note": "takes it along"}
            case "confirmed":
                step = "estimates", {"labour_fen": 1_000 + chance % 50_000}
            case "estimated":
                shown = request["estimates"][-1]["number"]
                step = "decline" if chance % 10 == 1 else "agree", {"estimate": shown}
            case "agreed" if chance % 2 and not request["loans"]:
                step = "loan", {}
            case "agreed":
                step = "repaired", {"result": "fixed"}
            case "repaired" if out := _out(request):
                step = "loan/end", {"ending": self._take_back(out[0])}
            case "repaired":
                step = "return", {"receipt": f"R-{chance % 10**12}"}
        return step

    def _note_loan(self, request: Request) -> None:
        if self._handset is None and (out := _out(request)):
            (self._handset,) = out
            self._desk.lend(self._handset)

    def _take_back(self, handset: str) -> str:
        """Take the handset, before the node is told: it may lend it at once."""
        is_damaged = self._key.int % 10 == 3
        self._desk.take_back(handset, DAMAGED if is_damaged else IN_STOCK)
        return DAMAGED if is_damaged else "returned"


def _out(request: Request) -> list[str]:
    return [loan["handset_id"] for loan in request["loans"] if loan["ending"] is None]
