"""How is Markdown of users shown? Rendered without raw HTML, then cleaned: nothing in it can act."""

from __future__ import annotations

from functools import lru_cache
from inspect import cleandoc

from markupsafe import Markup


@lru_cache(maxsize=256)
def render_markdown(text: str) -> Markup:
    """Return ``text`` as harmless HTML."""
    # Imported when first used: few pages have Markdown, and the two libraries take 4 MB.
    import nh3
    from markdown_it import MarkdownIt

    html = MarkdownIt("js-default", {"html": False, "linkify": False}).render(cleandoc(text)[: 200 << 10])
    return Markup(nh3.clean(html, link_rel="noopener noreferrer nofollow"))
