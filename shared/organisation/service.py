"""The rules of the tree of organisation units."""

import re
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from shared.access import Principal
from shared.capability import NodeContext
from shared.kernel.language import Text
from shared.kernel.preconditions import require_version
from shared.kernel.problems import Fault, Problem
from shared.organisation import repository
from shared.organisation.division import Division, division, divisions, is_within
from shared.organisation.models import OrganisationUnit, UnitKind
from shared.organisation.schemas import NewUnit, UnitChange

_LAST_PART = re.compile(r"[a-z0-9]{2,20}")
_DIVISIONS = {UnitKind.HQ, UnitKind.PROVINCE, UnitKind.CITY}


class UnitNotFound(Problem):
    """There is no such unit in the caller's scope."""

    status = 404
    title = Text("Unit not found", "机构不存在")
    sentence = Text(
        "There is no organisation unit {code} in your scope; `GET /organisation/units` lists those there are.",
        "您的范围内没有机构 {code}；GET /organisation/units 列出现有机构。",
    )


class ParentUnusable(Problem):
    """A unit cannot be made or opened below the unit that was named."""

    status = 422
    title = Text("Parent unit unusable", "上级机构不可用")
    sentence = Text(
        "Nothing can be put below unit {code}: name this node's division {node}, or an active team or hall below it, within your scope.",
        "不能在机构 {code} 之下设置机构：请填写本节点的行政区划 {node}，或其下在用的班组或营业厅，且须在您的范围内。",
    )


class UnitCodeInvalid(Problem):
    """The code of a new unit does not follow from its parent's."""

    status = 422
    title = Text("Unit code invalid", "机构代码无效")
    sentence = Text(
        "The code of a unit below {parent} is '{parent}-' and 2 to 20 of a-z and 0-9, such as {parent}-01; it is '{code}'.",
        "机构 {parent} 之下的代码应为“{parent}-”加 2 至 20 位小写字母或数字，例如 {parent}-01；收到的是“{code}”。",
    )


class UnitExists(Problem):
    """The code of a new unit is taken."""

    status = 409
    title = Text("Unit exists", "机构已存在")
    sentence = Text(
        "There is a unit {code} already: choose another code, or change that unit.",
        "机构 {code} 已存在：请换用其他代码，或修改该机构。",
    )


class DivisionFixed(Problem):
    """HQ, provinces and cities are not changed by a request."""

    status = 409
    title = Text("Division is fixed", "行政区划不可更改")
    sentence = Text(
        "{code} is a division of the network, which comes with the release: only teams and halls can be changed.",
        "{code} 是全网的行政区划，随版本发布：只能更改班组与营业厅。",
    )


class UnitInUse(Problem):
    """A unit that has active units below it cannot be closed."""

    status = 409
    title = Text("Unit in use", "机构使用中")
    sentence = Text(
        "Unit {code} cannot be closed while {below} below it is active: close that first.",
        "机构 {code} 之下的 {below} 仍在用，不能停用：请先停用下级机构。",
    )


async def ensure_divisions(context: NodeContext) -> None:
    """Make sure that the node has the divisions above itself and all those below."""
    now, own = context.clock.now(), context.settings.code
    units = [
        _division_unit(place, now)
        for place in divisions().values()
        if is_within(place.code, own) or is_within(own, place.code)
    ]
    async with context.database.transaction() as session:
        await repository.put_divisions(session, units, now)


def _division_unit(place: Division, now: datetime) -> OrganisationUnit:
    return OrganisationUnit(
        code=place.code,
        parent_code=place.parent,
        path=path_of_division(place.code),
        kind=place.tier.value,
        name_zh=place.name_zh,
        name_en=place.name_en,
        active=True,
        version=1,
        created_at=now,
        updated_at=now,
    )


def path_of_division(code: str) -> str:
    """Return the path of a division's unit, such as ``000000/440000/440300/``.

    Raises:
        shared.organisation.division.UnknownDivision: if the table does not hold the code.
    """
    parent = division(code).parent
    return (path_of_division(parent) if parent else "") + f"{code}/"


@dataclass(frozen=True, slots=True)
class Organisation:
    """The tree, as one principal may change it in one transaction.

    Attributes:
        session: the transaction.
        node: division code of the node.
        principal: who asks.
        now: the present moment.
    """

    session: AsyncSession
    node: str
    principal: Principal
    now: datetime

    async def create(self, new: NewUnit) -> OrganisationUnit:
        """Make a team or hall.

        Raises:
            ParentUnusable: if the parent is not of this node, out of scope or closed.
            UnitCodeInvalid: if the code does not follow from the parent's.
            UnitExists: if the code is taken.
        """
        parent = await self._open_parent(new.parent_code, "/parent_code")
        head, _, last = new.code.rpartition("-")
        if head != parent.code or not _LAST_PART.fullmatch(last):
            raise UnitCodeInvalid(
                faults=[Fault("/code", f"not {parent.code}-..")], parent=parent.code, code=new.code
            )
        unit = OrganisationUnit(
            code=new.code,
            parent_code=parent.code,
            path=f"{parent.path}{new.code}/",
            kind=new.kind.value,
            name_zh=new.name_zh,
            name_en=new.name_en,
            active=True,
            version=1,
            created_at=self.now,
            updated_at=self.now,
        )
        if not await repository.add(self.session, unit):
            raise UnitExists(faults=[Fault("/code", "taken")], code=new.code)
        return unit

    async def change(self, code: str, change: UnitChange, expected: int) -> OrganisationUnit:
        """Rename, close or open a team or hall; a change that changes nothing keeps the version.

        Raises:
            UnitNotFound: if there is none in the principal's scope.
            shared.kernel.preconditions.VersionStale: if ``expected`` is not its version.
            DivisionFixed: if it is HQ, a province or a city.
            UnitInUse: if it is to be closed and has active units below it.
            ParentUnusable: if it is to be opened below a closed one.
        """
        unit = await repository.lock(self.session, code)
        if unit is None or not self.principal.covers(unit.path):
            raise UnitNotFound(code=code)
        require_version(unit.version, expected)
        if unit.kind in _DIVISIONS:
            raise DivisionFixed(code=code)
        wanted = change.model_dump(exclude_none=True)
        changes = {name: value for name, value in wanted.items() if getattr(unit, name) != value}
        if changes.get("active") is False:
            below = await repository.active_unit_below(self.session, code)
            if below is not None:
                raise UnitInUse(faults=[Fault("/active", "in use")], code=code, below=below)
        if changes.get("active"):
            await self._open_parent(unit.parent_code or "", "/active", in_scope=False)
        for name, value in changes.items():
            setattr(unit, name, value)
        if changes:
            unit.version += 1
            unit.updated_at = self.now
        return unit

    async def _open_parent(
        self, code: str, pointer: str, *, in_scope: bool = True
    ) -> OrganisationUnit:
        """Lock the unit that something is to be put below, so that it is not closed meanwhile."""
        parent = await repository.lock(self.session, code)
        own = code == self.node or code.startswith(f"{self.node}-")
        covered = parent is not None and (not in_scope or self.principal.covers(parent.path))
        if parent is None or not parent.active or not own or not covered:
            raise ParentUnusable(faults=[Fault(pointer, "unusable")], code=code, node=self.node)
        return parent
