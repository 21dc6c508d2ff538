"""XMP packets: take out the pictures they carry, and the words that announce pictures no longer there."""

from __future__ import annotations

import re
from xml.dom import minidom
from xml.parsers.expat import ExpatError

_LONG_VALUE = 4096
"""A value longer than this, of base64 letters only, is an embedded picture, depth map or sound."""

_BASE64 = re.compile(r"[A-Za-z0-9+/=\s]+")
_JPEG_IN_BASE64 = "/9j/"
_PICTURE_SPACES = (
    "http://ns.adobe.com/xap/1.0/g/img/",
    "http://ns.adobe.com/hdr-gain-map/1.0/",
    "http://ns.apple.com/HDRGainMap/1.0/",
    "http://ns.google.com/photos/1.0/",
    "http://ns.google.com/photos/dd/1.0/",
)
"""Namespaces of thumbnails, gain maps, depth maps, motion photos and the lists of such parts."""

_PICTURE_NAMES = (
    ("http://ns.adobe.com/xap/1.0/", "Thumbnails"),
    ("http://ns.adobe.com/xmp/note/", "HasExtendedXMP"),
)
_SUSPECT = re.compile(
    rb"g/img/|hdr-gain-map|HDRGainMap|google\.com/photos|HasExtendedXMP|Thumbnails|/9j/|[A-Za-z0-9+/=]{4096}"
)


def scrubbed(packet: bytes) -> bytes:
    """The packet without embedded pictures; untouched to the byte where it has none.

    One that has some but cannot be parsed comes back empty, which is the safe way to be wrong.
    """
    text = _as_utf8(packet)
    if not _SUSPECT.search(text):
        return packet
    start, end = text.find(b"<x:xmpmeta"), text.rfind(b"</x:xmpmeta>")
    body = text[start : end + len(b"</x:xmpmeta>")] if 0 <= start < end else _without_frame(text)
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        return b""
    try:
        document = minidom.parseString(body)
    except (ExpatError, ValueError):
        return b""
    root = document.documentElement
    if root is None:
        return b""
    before = root.toxml()
    if _clean(root):
        return b""
    if root.toxml() == before:
        return packet
    frame = b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>\n%s\n<?xpacket end="w"?>'
    return frame % root.toxml().encode()


def _as_utf8(packet: bytes) -> bytes:
    for mark, coding in ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if packet.startswith(mark):
            return packet.decode(coding, "replace").encode()
    return packet.rstrip(b"\x00")


def _without_frame(text: bytes) -> bytes:
    return re.sub(rb"<\?xpacket[^>]*\?>|^\xef\xbb\xbf", b"", text).strip()


def _clean(element: minidom.Element) -> bool:
    """Take pictures out of ``element``; True where it is, or was, nothing but a picture."""
    for attribute in list(element.attributes.values()) if element.attributes else []:
        if _is_named_picture(attribute) or _is_coded_picture(attribute.value):
            element.removeAttributeNode(attribute)
    if _is_named_picture(element):
        return True
    for child in list(element.childNodes):
        if isinstance(child, minidom.Element) and _clean(child):
            element.removeChild(child)
    return _is_coded_picture(_text_of(element))


def _text_of(element: minidom.Element) -> str:
    return "".join(child.data for child in element.childNodes if isinstance(child, minidom.Text))


def _is_named_picture(node: minidom.Node) -> bool:
    space = node.namespaceURI or ""
    return space.startswith(_PICTURE_SPACES) or (space, node.localName) in _PICTURE_NAMES


def _is_coded_picture(value: str) -> bool:
    value = value.strip()
    if value.startswith(_JPEG_IN_BASE64):
        return True
    return len(value) > _LONG_VALUE and _BASE64.fullmatch(value) is not None
