"""The page: sections put into the template, style and script inlined, and a policy that lets nothing else run."""

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from markupsafe import Markup

ASSETS = Path(__file__).with_name("assets")
VENDOR = Path(__file__).with_name("vendor")
SCRIPTS = (
    "elements.js",
    "answer_text.js",
    "row_store.js",
    "row_cards.js",
    "row_browser.js",
    "chart_pointer.js",
)
GENERATOR = "FuseChat-3.0 run report"


def render_page(context: Mapping[str, Any]) -> str:
    """The whole HTML file."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(ASSETS),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    style = (ASSETS / "report.css").read_text(encoding="utf-8")
    scripts = [library_script(), own_script()]
    return environment.get_template("page.html").render(
        **context,
        style=Markup(style),
        scripts=[Markup(script) for script in scripts],
        policy=content_security_policy(style, scripts),
        generator=GENERATOR,
    )


def library_script() -> str:
    """The two libraries with their licences, which every copy has to carry; Prism is told not to look for code by itself."""
    libraries = [
        f"/*\n{(VENDOR / f'{name}.LICENSE').read_text(encoding='utf-8')}*/\n"
        + (VENDOR / f"{name}.min.js").read_text(encoding="utf-8")
        for name in ("prism", "temml")
    ]
    return "\n".join(["window.Prism = { manual: true };", *libraries])


def own_script() -> str:
    """The page's own scripts as one, closed off from the page's global names."""
    parts = [(ASSETS / name).read_text(encoding="utf-8") for name in SCRIPTS]
    return "\n".join(['"use strict";', "(() => {", *parts, "})();"])


def content_security_policy(style: str, scripts: list[str]) -> str:
    """Only this very style and these very scripts: no network, no frames, no text that becomes code.

    Style attributes are allowed since Temml sets some; text of models never gets into one, it is only ever put into
    the page as text.
    """
    hashes = " ".join(f"'sha256-{digest(script)}'" for script in scripts)
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src {hashes}",
            f"style-src-elem 'sha256-{digest(style)}'",
            "style-src-attr 'unsafe-inline'",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
        ]
    )


def digest(text: str) -> str:
    """SHA-256 as a content security policy writes it."""
    return base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
