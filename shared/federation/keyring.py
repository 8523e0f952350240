"""The keys that a node holds: the one it signs with, the next while it rotates, the one before.

Each is a file of :mod:`~shared.federation.keys`' making in one directory, and the files are the truth: every process
of the node looks at them again whenever it needs a key, so that all of them change over at the same moment.

=======================  ==========================================================================
``node-key.pem``         the current key, which signs
``node-key.next.pem``    made and announced, not signing yet
``node-key.old.pem``     the key before, kept to open what was sealed for it
=======================  ==========================================================================

Crash safety: each step is one link or rename, on disk (file and directory) before the next. After a crash at any line
there is a current key, and it is the one from before or the next one, whole.
"""

import contextlib
import os
from pathlib import Path

from shared.federation.keys import KEY_FILE, NodeKey, read_key
from shared.kernel.secrets import keep_names, read_or_create

NEXT_FILE = "node-key.next.pem"
OLD_FILE = "node-key.old.pem"


class _File:
    """A key file and what was read from it last."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int] | None = None
        self._key: NodeKey | None = None

    def key(self) -> NodeKey | None:
        try:
            status = self._path.stat()
            seen = (status.st_ino, status.st_mtime_ns)
            if seen != self._seen:
                self._key, self._seen = read_key(self._path), seen
        except FileNotFoundError:
            self._key, self._seen = None, None
        return self._key


class KeyRing:
    """The keys of one node.

    Args:
        directory: where they are kept; the current one is there already.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._files = {name: _File(directory / name) for name in (KEY_FILE, NEXT_FILE, OLD_FILE)}
        self._link: str | None = None

    @classmethod
    def load_or_create(cls, directory: Path) -> "KeyRing":
        """Open the keys kept in ``directory``; the current one is made at the first start.

        Raises:
            KeyUnusable: if a file is open to others, or does not hold a key.
            OSError: if one cannot be read or written.
        """
        NodeKey.load_or_create(directory)
        ring = cls(directory)
        ring.all()
        return ring

    @property
    def current(self) -> NodeKey:
        """The key that signs."""
        key = self._files[KEY_FILE].key()
        if key is None:  # it is renamed over, never away
            raise FileNotFoundError(
                f"The node key {self._directory / KEY_FILE} is gone: restore it from the backup."
            )
        return key

    @property
    def next(self) -> NodeKey | None:
        """The key that will sign, while the node rotates."""
        return self._files[NEXT_FILE].key()

    @property
    def old(self) -> NodeKey | None:
        """The key that signed before."""
        key = self._files[OLD_FILE].key()
        return None if key is None or key.public == self.current.public else key

    def all(self) -> tuple[NodeKey, ...]:
        """Return every key there is, the current one first."""
        return tuple(key for key in (self.current, self.next, self.old) if key is not None)

    def of(self, fingerprint: str | None) -> NodeKey | None:
        """Return the key with this fingerprint, if the node holds it."""
        return next((key for key in self.all() if key.public.fingerprint == fingerprint), None)

    # What a node calls its parent with.

    @property
    def calling(self) -> NodeKey:
        """The key that signs requests to the parent: the current one, unless the parent refused it."""
        return self.of(self._link) or self.current

    def refused(self, key: NodeKey) -> None:
        """Call with another key than ``key`` from now on, if there is one, since the parent refused that."""
        if key.public != self.calling.public:
            return  # another exchange met the same refusal first
        keys = self.all()
        at = next(n for n, each in enumerate(keys) if each.public == key.public)
        self._link = keys[(at + 1) % len(keys)].public.fingerprint

    # Changing over.

    def make_next(self) -> NodeKey:
        """Make the next key, or return the one that was made before."""
        read_or_create(self._directory / NEXT_FILE, lambda: NodeKey.generate().to_pem())
        made = self.next
        if made is None:
            raise FileNotFoundError(f"{self._directory / NEXT_FILE} has vanished: try again.")
        return made

    def switch(self) -> None:
        """Sign with the next key from now on, and keep the current one to open what was sealed for it."""
        if self.next is None:
            return
        self._keep_current_as_old()
        (self._directory / NEXT_FILE).replace(self._directory / KEY_FILE)
        keep_names(self._directory)

    def replace(self) -> NodeKey:
        """Sign with a new key at once, as a node has to whose key was revoked; returns it."""
        self.make_next()
        self.switch()
        return self.current

    def _keep_current_as_old(self) -> None:
        second_name = self._directory / f".{OLD_FILE}"
        second_name.unlink(missing_ok=True)
        os.link(self._directory / KEY_FILE, second_name)
        second_name.replace(self._directory / OLD_FILE)
        # Renaming does nothing if both names are of one file, after a crash below this line.
        with contextlib.suppress(FileNotFoundError):
            second_name.unlink()
        keep_names(self._directory)
