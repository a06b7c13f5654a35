"""Hook of the documentation site: pages from outside ``docs/``, and links that work on GitHub and on the site alike."""

import posixpath
import re
from pathlib import Path
from typing import Any

from properdocs.structure.files import File, Files
from properdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]

#: Page of the site -> its file in the repository.
OUTSIDE = {
    "index.md": "README.md",
    "contributing.md": "CONTRIBUTING.md",
    "reporting.md": "SECURITY.md",
    "changelog.md": "CHANGELOG.md",
}
_PAGES = {source: page for page, source in OUTSIDE.items()}
_LINK = re.compile(r"(?<=\]\()(?!https?://|mailto:|#)([^)#\s]+)")


def on_files(files: Files, *, config: Any) -> Files:
    """Add the pages from outside ``docs/``."""
    for page, source in OUTSIDE.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text("utf-8")))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: Any, files: Files) -> str:
    """Turn links between files of the repository into links between pages; other files are linked at the repository."""
    own = page.file.src_uri
    folder = posixpath.dirname(OUTSIDE.get(own, f"docs/{own}"))

    def target(link: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(folder, link[1]))
        linked = _PAGES.get(path) or (path.removeprefix("docs/") if path.startswith("docs/") else None)
        if linked and (ROOT / path).is_dir():
            linked += "/README.md"
        if linked is None:
            return f"{config.repo_url}/blob/main/{path}"
        return posixpath.relpath(linked, posixpath.dirname(own) or ".")

    return _LINK.sub(target, markdown)
