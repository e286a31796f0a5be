"""The API's document as a page for people: one file of HTML without scripts, that needs nothing from anywhere."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, cast

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup, escape

from cadenza.api.routing import ROLE

_HERE: Final = Path(__file__).parent
_REF: Final = "#/components/schemas/"
_METHODS: Final = ("get", "post", "put", "patch", "delete")


def render(document: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
    """The page, and the headers that it is to have: its policy allows its own style and nothing else."""
    style = (_HERE / "docs_page.css").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"shape": _shape, "prose": _prose}
    template = environment.from_string((_HERE / "docs_page.html").read_text(encoding="utf-8"))
    page = template.render(
        info=document["info"],
        tags=[{**tag, "operations": _operations(document, tag["name"])} for tag in document["tags"]],
        schemas=sorted(document["components"]["schemas"].items()),
        style=Markup(style),  # noqa: S704 - our own file
    )
    digest = b64encode(sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return page, {
        "content-security-policy": f"{policy}; frame-ancestors 'none'",
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
    }


def _operations(document: Mapping[str, Any], tag: str) -> list[dict[str, Any]]:
    return [
        {
            "method": method.upper(),
            "path": path,
            "role": found.get(ROLE, ""),
            "parameters": [],
            "requestBody": None,
            **found,
        }
        for path, methods in document["paths"].items()
        for method, found in methods.items()
        if method in _METHODS and tag in found["tags"]
    ]


def _prose(text: str) -> Markup:
    """Paragraphs and lists of a description; what stands between backticks is code."""
    blocks = [_block(block.strip()) for block in text.strip().split("\n\n")]
    return Markup("\n").join(blocks)


def _block(block: str) -> Markup:
    if block.startswith("- "):
        items = [Markup("<li>{}</li>").format(_inline(item)) for item in block.removeprefix("- ").split("\n- ")]
        return Markup("<ul>{}</ul>").format(Markup("").join(items))
    return Markup("<p>{}</p>").format(_inline(block))


def _inline(text: str) -> Markup:
    parts = text.replace("``", "`").replace("**", "").split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if odd % 2 else escape(part) for odd, part in enumerate(parts)
    )


def _shape(schema: Mapping[str, Any]) -> Markup:
    """What a schema allows, in one line; others are linked to."""
    if ref := schema.get("$ref"):
        name = str(ref).removeprefix(_REF)
        return Markup('<a href="#schema-{0}">{0}</a>').format(name)
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            return Markup(" or ").join(_shape(one) for one in schema[several])
    if "enum" in schema:
        return Markup(" | ").join(Markup("<code>{}</code>").format(one) for one in schema["enum"])
    if "const" in schema:
        return Markup("<code>{}</code>").format(schema["const"])
    if schema.get("type") == "array":
        return Markup("list of {}").format(_shape(schema.get("items", {})))
    if isinstance(more := schema.get("additionalProperties"), dict):
        return Markup("object of {}").format(_shape(cast("Mapping[str, Any]", more)))
    said = [str(schema.get("type", "any JSON"))]
    said += [f"{name} {schema[name]}" for name in ("format", "minimum", "maximum", "maxLength") if name in schema]
    return escape(", ".join(said))
