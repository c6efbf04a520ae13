"""What the documents of a release share: how they are filled, and that none of their fields may be blank."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from math import isnan
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from countenance.errors import ModelError
from countenance.governance.statements import is_blank

_PLAIN: Final = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*( [A-Za-z0-9_./-]+)*")
_YAML_WORDS: Final = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})


def render_document(template: str, document: str, fields: Mapping[str, Any]) -> str:
    """Fill a Markdown template.

    Args:
        template: its file name.
        document: what it is, for the sentence, e.g. "model card of 'student_alone'".
        fields: everything that it shows; a field that a document may go without says so in words.

    Raises:
        ModelError: a field is blank, at whatever depth.
    """
    blank = _first_blank(fields, "")
    if blank is not None:
        raise ModelError(f"The {document} has a blank field '{blank}': fill it, then register.")
    environment = Environment(
        loader=PackageLoader("countenance.reporting"),
        undefined=StrictUndefined,
        autoescape=False,  # Markdown, not HTML
        keep_trailing_newline=True,
    )
    environment.filters |= {"yaml": yaml_scalar, "cell": table_cell}
    return environment.get_template(template).render(fields)


def yaml_scalar(value: Any) -> str:
    """A text or number as a YAML scalar: plain where every reader takes it for this text, else quoted as in JSON."""
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.casefold() not in _YAML_WORDS:
        return value
    written = json.dumps(value, ensure_ascii=False, allow_nan=False)
    if isinstance(value, float):  # YAML 1.1 takes 1e-05 for a text, and 1.0e-05 for a number
        mantissa, e, exponent = written.partition("e")
        return written if "." in mantissa else f"{mantissa}.0{e}{exponent}"
    return "".join(letter if letter.isprintable() else f"\\U{ord(letter):08x}" for letter in written)


def table_cell(text: Any) -> str:
    """A text within a Markdown table: on one line, with its bars escaped."""
    return " ".join(str(text).split()).replace("|", "\\|")


def _first_blank(value: Any, path: str) -> str | None:
    """Path of the first field that says nothing; truth values and numbers say something, but for NaN."""
    if value is None or (isinstance(value, str) and is_blank(value)) or (isinstance(value, float) and isnan(value)):
        return path
    if isinstance(value, Mapping):
        inner = [(f"{path}.{name}" if path else str(name), entry) for name, entry in value.items()]
    elif isinstance(value, list | tuple):
        inner = [(f"{path}.{number}", entry) for number, entry in enumerate(value, start=1)]
    else:
        return None
    if not inner:
        return path
    return next((found for name, entry in inner if (found := _first_blank(entry, name)) is not None), None)
