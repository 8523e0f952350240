"""Sealing what is personal: encryption at rest, and the rotation of its keys.

Vocabulary
----------
A *sealed column* (:mod:`~services.city_node.personal_data.columns`) keeps a value three times over: encrypted, as a
blind index by which it is found exactly, and masked. Values are *sealed* with the newest of the node's keys
(:mod:`shared.kernel.encryption`). A *rotation* makes a new key and seals every row anew with it.

Life of a rotation
------------------
1. It *begins* in one transaction, alone: nobody is writing a sealed value. A row says that it is under way, and the
   new key is put beside the others, where every process finds it at its next use.
2. After a moment (:data:`~services.city_node.personal_data.service.GRACE`), when no search is under way that knows the
   old keys alone, rows are sealed anew in portions, each a transaction of its own.
3. It *ends* when a pass over every table finds no row of an older key. An old key can then be *dropped*; as long as
   there is a backup of the database from before, a copy of it is kept with that backup.

Reading, searching and changing go on all the while: a value is opened by the key that its row names, and a search asks
for the index under every key. Imports and generated data, which compare set-wise by one index, wait until it has ended.

Failure
-------
Whatever stops a rotation, rows are whole under the one key or the other. The running node takes an unfinished rotation
up by itself, and so does the command when it is given again; a row that somebody has locked is left for the next pass.

A database from before contact values were encrypted is brought forward in the same way: rows in clear are sealed in
portions, and are read as they are until then.
"""

from services.city_node.personal_data.commands import app
from services.city_node.personal_data.jobs import sealing
from shared.capability import Capability
from shared.kernel.language import Text

capability = Capability(
    name="personal-data",
    summary=Text(
        "Encryption of personal values, and rotation of its keys", "个人信息加密与密钥轮换"
    ),
    jobs=(sealing,),
    commands=(("personal-data", app),),
)
