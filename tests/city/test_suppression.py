"""Who was erased is not made anew by the next extract, unless somebody gives leave."""

from typing import Any

from sqlalchemy import text

from services.city_node.erasure import suppression
from shared.capability import Role
from shared.kernel.encryption import Cipher
from tests.city.drafts import Headers, SignIn, id_card, settle
from tests.city.erasing import erase
from tests.city.extracts import MAPPING_TEXT, counts, extract, load, row
from tests.city.merging import merge
from tests.conftest import TestNode


async def query(city: TestNode, statement: str) -> list[tuple[Any, ...]]:
    async with city.database.transaction() as session:
        return [tuple(one) for one in await session.execute(text(statement))]


async def gone(city: TestNode, running: int) -> None:
    """Import a customer who left long ago, and erase the customer."""
    await load(city, [row(running)])
    await query(
        city,
        "UPDATE customer SET library = 'retained', left_on = '2021-01-01' RETURNING id",
    )
    assert await erase(city) == 1


async def test_neither_key_nor_document_makes_the_customer_anew(city: TestNode) -> None:
    await gone(city, 1)
    loaded = await load(
        city,
        [row(1, document=id_card(9)), row(2, document=id_card(1)), row(3), row(1, name="又")],
        portion=2,
    )
    assert counts(loaded) == (1, 0, 0, 3)
    reasons = await query(
        city, """SELECT line, "column", reason FROM customer_import_reject ORDER BY id"""
    )
    day = city.clock.now().date()
    assert reasons == [
        (2, "id", f"is of a customer who was erased on {day}"),
        (3, "document", f"is of a customer who was erased on {day}"),
        (5, "id", f"is of a customer who was erased on {day}"),
        (5, "document", f"is of a customer who was erased on {day}"),
    ]


async def test_nothing_of_the_person_can_be_read_from_what_is_kept(city: TestNode) -> None:
    await gone(city, 1)
    kept = await query(city, "SELECT * FROM suppression")
    assert len(kept) == 2
    cipher = city.context.cipher
    assert {index for index, _ in kept} == {
        suppression.index_of_key(cipher, "crm", "C1"),
        suppression.index_of_document(cipher, id_card(1).lower()),
    }
    stranger = Cipher(b"e" * 32, b"i" * 32)
    assert suppression.index_of_key(stranger, "crm", "C1") not in {index for index, _ in kept}


async def test_a_rotation_of_keys_forgets_nobody(city: TestNode) -> None:
    await gone(city, 1)
    city.context.cipher.add_key()
    city.context.cipher.drop_key(1)
    assert counts(await load(city, [row(1)])) == (0, 0, 0, 1)


async def test_the_key_of_a_merged_profile_is_kept_too(city: TestNode, supervisor: Headers) -> None:
    await load(city, [row(1), row(2)])
    found = await query(city, "SELECT id::text FROM customer ORDER BY source_key")
    survivor, merged = ({"id": found[0][0]}, {"id": found[1][0]})
    assert (await merge(city, supervisor, survivor, merged)).status_code == 201
    await query(
        city, "UPDATE customer SET library = 'retained', left_on = '2021-01-01' RETURNING id"
    )
    assert await erase(city) == 1
    assert counts(await load(city, [row(2, document=id_card(9))])) == (0, 0, 0, 1)


async def test_with_leave_the_row_is_taken_and_known_from_then_on(
    city: TestNode, sign_in: SignIn
) -> None:
    await gone(city, 1)
    files = {"file": extract([row(1)]), "mapping": MAPPING_TEXT.encode()}
    path = "/customer-imports?allow_erased=true"
    operator = await sign_in(city, Role.OPERATOR)
    refused = await city.client.post(path, files=files, headers=operator)
    assert refused.status_code == 403
    assert refused.json()["type"].endswith("erased-not-allowed")

    supervisor = await sign_in(city, Role.SUPERVISOR)
    begun = await city.client.post(path, files=files, headers=supervisor)
    assert begun.status_code == 202, begun.text
    await city.run_job("customer-import")
    done = await city.client.get(begun.headers["location"], headers=supervisor)
    assert (done.json()["created"], done.json()["allow_erased"]) == (1, True)
    ((detail,),) = await query(
        city,
        "SELECT detail FROM audit_record WHERE action = 'customer.imported' ORDER BY id DESC LIMIT 1",
    )
    assert detail["allow_erased"] is True
    assert counts(await load(city, [row(1)])) == (0, 0, 1, 0)


async def test_a_customer_who_came_back_at_a_desk_keeps_it_so(
    city: TestNode, clerk: Headers
) -> None:
    """Erasure says nothing about what people do at a desk: the customer is one like any other."""
    await gone(city, 1)
    back = await settle(city, clerk, 1)
    assert back["document_masked"]
    assert await erase(city) == 0
