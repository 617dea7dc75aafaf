"""Check that pages are valid HTML and need no network."""

import os
import re
from pathlib import Path
from urllib.parse import unquote_to_bytes

import html5lib


def check_page(path: Path) -> list[str]:
    """Check a page; return the sources of its images, which are files or data."""
    text = path.read_text(encoding="utf-8")
    document = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(text)
    ids = [element.get("id") for element in document.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    for element in document.iter():
        for name in ("src", "href"):
            target = element.get(name)
            if target is None or target.startswith("data:image/png;base64,"):
                continue
            if target.startswith("#"):
                assert target[1:] in ids
            else:
                assert not re.match(r"[a-z]+:|/", target), (
                    f"{target} is not in the folder of the page"
                )
                assert (path.parent / os.fsdecode(unquote_to_bytes(target))).is_file()
    # The style and the script load nothing either.
    assert not re.search(r"url\(|@import|fetch\(|https?://", text)
    images = list(document.iter("img"))
    assert all(image.get("alt") for image in images)
    return [str(image.get("src")) for image in images]
