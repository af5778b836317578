"""Under which address is a static file? One that names its content, so that browsers may keep it for ever.

All files share one digest in their folder's name: modules import each other by relative names, and a page never mixes
two releases.
"""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flask import Flask, Response, abort, request, url_for

FOLDER: Final = Path(__file__).parent / "static"
_TYPES: Final = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class Asset:
    """A static file in memory, plain and compressed."""

    data: bytes
    packed: bytes
    mimetype: str


def load_assets(folder: Path = FOLDER) -> tuple[str, dict[str, Asset]]:
    """Return the digest over all static files, and the files by name. They are small: together below 100 KB."""
    assets = {}
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.suffix in _TYPES:
            data = path.read_bytes()
            digest.update(path.name.encode() + b"\0" + data)
            assets[path.name] = Asset(data, gzip.compress(data, 9, mtime=0), _TYPES[path.suffix])
    return digest.hexdigest()[:12], assets


def install(app: Flask) -> None:
    """Serve the static files and give templates ``asset('name')``."""
    digest, assets = load_assets()

    @app.get("/static/<version>/<name>")
    def static_file(version: str, name: str) -> Response:
        asset = assets.get(name)
        if asset is None:
            abort(404)
        pack = bool(request.accept_encodings["gzip"])
        response = Response(asset.packed if pack else asset.data, mimetype=asset.mimetype)
        if pack:
            response.headers["Content-Encoding"] = "gzip"
        response.vary.add("Accept-Encoding")
        # An address of another release must not be kept: a page of it may be open while the server is replaced.
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if version == digest else "no-cache"
        return response

    app.jinja_env.globals["asset"] = lambda name: url_for("static_file", version=digest, name=name)
