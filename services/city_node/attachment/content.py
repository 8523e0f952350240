"""What may be attached, told by its content; and content in chunks."""

import hashlib
from collections.abc import Iterator

from shared.kernel.language import Text
from shared.kernel.problems import Problem

MOST_BYTES = 2 * 1024 * 1024
CHUNK_BYTES = 32 * 1024
"""What one sealed text may hold (:data:`shared.federation.keys.MAX_SEALED_BYTES`)."""
MOST_CHUNKS = MOST_BYTES // CHUNK_BYTES

SIGNATURES = {
    "image/jpeg": b"\xff\xd8\xff",
    "image/png": b"\x89PNG\r\n\x1a\n",
    "application/pdf": b"%PDF-",
}
"""What content of each type that is taken begins with."""
EXTENSIONS = {"image/jpeg": "jpg", "image/png": "png", "application/pdf": "pdf"}


class AttachmentTooLarge(Problem):
    """The content is larger than an attachment may be."""

    status = 413
    title = Text("Attachment too large", "附件过大")
    sentence = Text(
        "An attachment has at most {most} bytes. Photograph it with fewer pixels, or split the document.",
        "附件最大 {most} 字节，请降低照片分辨率或拆分文件。",
    )


class AttachmentTypeRefused(Problem):
    """The content is of a type that is not taken, or not of the type that it is said to be."""

    status = 415
    title = Text("Attachment type not taken", "不支持的附件类型")
    sentence = Text(
        "The content is {found}, sent as {said}. Send a JPEG, PNG or PDF, with its own `Content-Type`.",
        "内容为 {found}，而声明为 {said}。请发送 JPEG、PNG 或 PDF，并使用相应的 Content-Type。",
    )


def media_type_of(content: bytes) -> str | None:
    """Return of which taken type content is, by how it begins."""
    return next((type_ for type_, head in SIGNATURES.items() if content.startswith(head)), None)


def require_taken(content: bytes, said: str | None) -> str:
    """Return the type of content that may be attached.

    Raises:
        AttachmentTooLarge: if it has too many bytes (413).
        AttachmentTypeRefused: if it is of no type that is taken, or of another than said (415).
    """
    if len(content) > MOST_BYTES:
        raise AttachmentTooLarge(most=MOST_BYTES)
    found = media_type_of(content)
    named = (said or "").partition(";")[0].strip().lower()
    if found is None or named not in {found, "", "application/octet-stream"}:
        raise AttachmentTypeRefused(found=found or "something else", said=named or "nothing")
    return found


def digest(content: bytes) -> str:
    """Return the SHA-256 of content in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def pieces(content: bytes) -> Iterator[bytes]:
    """Cut content into chunks."""
    for start in range(0, len(content), CHUNK_BYTES):
        yield content[start : start + CHUNK_BYTES]
