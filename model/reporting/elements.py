"""HTML and SVG as trees of elements.

A tree is well-formed by construction, and every text in it is escaped when it is written, so no name of a column can
become markup.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from xml.etree import ElementTree

from model.messages import escape_unprintable

# An element, or a text that is shown as it is.
Node = ElementTree.Element | str


def element(tag: str, attributes: Mapping[str, str | float] | None = None, *children: Node) -> ElementTree.Element:
    """An element of HTML or SVG.

    Args:
        tag: its name.
        attributes: its attributes; numbers are rounded to two decimals.
        children: what it holds: elements, and texts. Characters that nobody could see are shown as escapes.

    Returns:
        The element.

    Example:
        >>> to_html(element("p", {"class": "note"}, "a < b, ", element("b", {}, "truly")))
        '<p class="note">a &lt; b, <b>truly</b></p>'
    """
    texts = {
        name: escape_unprintable(value) if isinstance(value, str) else f"{round(value, 2):g}"
        for name, value in (attributes or {}).items()
    }
    made = ElementTree.Element(tag, texts)
    last: ElementTree.Element | None = None
    for child in children:
        if not isinstance(child, str):
            made.append(child)
            last = child
        elif last is None:
            made.text = (made.text or "") + escape_unprintable(child)
        else:
            last.tail = (last.tail or "") + escape_unprintable(child)
    return made


def to_html(tree: ElementTree.Element) -> str:
    """An element as HTML.

    Args:
        tree: the element.

    Returns:
        Its text, with all texts and attributes escaped.

    Example:
        >>> to_html(element("td", {"title": '"x"'}, "<script>"))
        '<td title="&quot;x&quot;">&lt;script&gt;</td>'
    """
    return ElementTree.tostring(tree, encoding="unicode", method="html")


def table(caption: str, header: Sequence[str], rows: Sequence[Sequence[Node]], numeric: Sequence[int] = ()) -> Node:
    """A table whose first column names its rows. On a narrow screen it can be moved sideways.

    Args:
        caption: what the table shows.
        header: the names of the columns.
        rows: the cells, as many in each row as in the header.
        numeric: the indices of the columns that hold numbers.

    Returns:
        The table in a frame.

    Example:
        >>> from xml.etree.ElementTree import Element
        >>> made = table("Ages", ["name", "age"], [["Ann", "5"]], numeric=[1])
        >>> isinstance(made, Element) and [cell.text for cell in made.iter("th")]
        ['name', 'age', 'Ann']
    """
    kinds: list[dict[str, str | float]] = [
        {"class": "number"} if index in numeric else {} for index in range(len(header))
    ]
    head = [element("th", {"scope": "col", **kind}, name) for name, kind in zip(header, kinds, strict=True)]
    body = [
        element(
            "tr",
            {},
            element("th", {"scope": "row"}, row[0]),
            *(element("td", kind, cell) for cell, kind in zip(row[1:], kinds[1:], strict=True)),
        )
        for row in rows
    ]
    return element(
        "div",
        {"class": "wide", "tabindex": "0", "role": "region", "aria-label": caption},
        element(
            "table",
            {},
            element("caption", {}, caption),
            element("thead", {}, element("tr", {}, *head)),
            element("tbody", {}, *body),
        ),
    )


def shorten(text: str, max_characters: int = 40) -> str:
    """A text that fits into a drawing or a cell.

    Args:
        text: any text.
        max_characters: how many characters it may have.

    Returns:
        The text, cut with an ellipsis if it is longer.

    Example:
        >>> shorten("abcdef", max_characters=4)
        'abc…'
    """
    return text if len(text) <= max_characters else f"{text[: max_characters - 1]}…"
