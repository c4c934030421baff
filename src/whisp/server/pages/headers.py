"""What a browser is told beside the web app's files: how long to keep them, and what our page may do."""

import re
from pathlib import PurePosixPath
from typing import Final

from whisp.server.gate.answers import SECURITY_HEADERS, Headers

__all__ = ["CONTENT_SECURITY_POLICY", "MEDIA_TYPES", "PERMISSIONS_POLICY", "SERVICE_WORKER", "headers_of"]

SERVICE_WORKER: Final = "/service-worker.js"

CONTENT_SECURITY_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob:",
        "media-src 'self' blob:",
        "connect-src 'self'",
        "worker-src 'self'",
        "manifest-src 'self'",
        "font-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types vue whisp",
    )
)
"""Everything comes from here, nothing is inline, and no text becomes script (S-25). `blob:` shows what a peer
sent; a page of another origin is named nowhere."""

_REFUSED_FEATURES: Final = (
    "accelerometer",
    "autoplay",
    "browsing-topics",
    "display-capture",
    "encrypted-media",
    "fullscreen",
    "gamepad",
    "geolocation",
    "gyroscope",
    "hid",
    "idle-detection",
    "local-fonts",
    "magnetometer",
    "microphone",
    "midi",
    "payment",
    "picture-in-picture",
    "screen-wake-lock",
    "serial",
    "storage-access",
    "usb",
    "xr-spatial-tracking",
)

PERMISSIONS_POLICY: Final = ", ".join(("camera=(self)", *(f"{feature}=()" for feature in _REFUSED_FEATURES)))
"""The camera compares safety numbers. What else a page could ask for, it cannot; passkeys and the clipboard
stay as browsers have them, for this origin alone."""

MEDIA_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".mp3": "audio/mpeg",
    ".ogg": "audio/ogg",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}
"""By suffix, what the build may hold. The system's own table differs from machine to machine."""

_HASHED: Final = re.compile(r"/assets/[^/]+-[A-Za-z0-9_-]{8,}\.[a-z0-9]+")
"""Names that hold the hash of their content: another content has another name."""

_REPLACED: Final = frozenset({b"cache-control", b"content-security-policy"})


def headers_of(path: str) -> Headers:
    """Return the headers of the file at `path`, but for its length and encoding."""
    keep = "public, max-age=31536000, immutable" if _HASHED.fullmatch(path) else "no-store"
    told = {
        "content-type": MEDIA_TYPES["".join(PurePosixPath(path).suffixes[-1:]) or ".html"],
        "cache-control": keep,
        "content-security-policy": CONTENT_SECURITY_POLICY,
        "permissions-policy": PERMISSIONS_POLICY,
        "vary": "accept-encoding",
    }
    if path == SERVICE_WORKER:
        told["service-worker-allowed"] = "/"
    own = [(name.encode("ascii"), value.encode("ascii")) for name, value in told.items()]
    return own + [(name, value) for name, value in SECURITY_HEADERS if name not in _REPLACED]
