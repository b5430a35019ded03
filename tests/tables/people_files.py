"""Files as people have them: encodings, separators, headers, footers, and what is no table."""

import gzip
import json

import zstandard

from tests.tables.people import NUMBERS, OKS, XS, ZS, Case, case, category, number, repeated, written

_PLAIN = written({"x": XS, "z": ZS, "ok": OKS})
_HEADER, _, _ROWS = _PLAIN.partition("\n")
_LINES = _ROWS.splitlines()
_BOTH = {"x": number(*NUMBERS[:3]), "z": number(*map(float, ZS[:3]))}
_X = {"x": number(*NUMBERS[:3])}
_READ = {"columns": _BOTH, "task": "binary", "classes": ("no", "yes")}
_CITIES = written({"ville": repeated(["Montréal", "Québec"]), "x": XS, "ok": OKS})
_FEW = "\n".join(_LINES[:20]) + "\n"


def _read(name: str, content: str | bytes, *said: str, **expected: object) -> Case:
    """A file of x, z and ok; a note has these words, if there are any."""
    return case(name, content, "ok", **({"says": (said,)} if said else {}), **(_READ | expected))


def _refused(name: str, content: str | bytes, *found: str) -> Case:
    return case(name, content, "ok", refused=found)


def _lines(text: str, end: str) -> str:
    return text.replace("\n", end)


REPORTED: list[Case] = [
    case("bom", "\ufeff" + written({"x": XS, "ok": OKS}), "ok", columns=_X),
    case("utf16", written({"x": XS, "ok": OKS}, "\t").encode("utf-16"), "ok", columns=_X, says=(("UTF-16",),)),
    case(
        "cp1252",
        _CITIES.encode("cp1252"),
        "ok",
        columns={"ville": category("Montréal", "Québec")},
        says=(("Windows-1252",),),
    ),
    case(
        "cp1252_header",
        written({"année": repeated(range(2000, 2020)), "x": XS, "ok": OKS}).encode("cp1252"),
        "ok",
        columns={"année": number(2000, 2001)},
        says=(("Windows-1252",),),
    ),
    _read("tsv", _PLAIN.replace(",", "\t")),
    _read("space_sep", _PLAIN.replace(",", " "), "blanks"),
    _read("header_space", _PLAIN.replace(",", ", ")),
    case(
        "header_dup",
        _PLAIN.replace("x,z", "x,x", 1),
        "ok",
        columns={**_X, "x_2": number(float(ZS[0]))},
        says=(("x_2",),),
    ),
    _read("header_line2", "Report of 2024\n" + _PLAIN, "line 2"),
    _read("header_line2_commas", "Report of 2024,,\n" + _PLAIN, "line 2"),
    _read("comment", "# made by tool\n" + _PLAIN, "line 2"),
    _read("trailing_comma", _lines(_PLAIN, ",\n"), "empty last column"),
    _read("trailing_comma_rows", _HEADER + "\n" + _lines(_ROWS, ",\n"), "empty last column"),
    _refused("no_header", _ROWS, "'ok'", "--no-header"),
    _read("gz", gzip.compress(_PLAIN.encode(), mtime=0), "gzip"),
]

_NAMELESS = {"c1": _BOTH["x"], "c2": _BOTH["z"]}
_NUMBERED = _HEADER + "\n" + "".join(f'"{row}",{line}\n' for row, line in enumerate(_LINES, 1))
_NAMED = _HEADER + "\n" + "".join(f"car {row},{line}\n" for row, line in enumerate(_LINES, 1))

VARIATIONS: list[Case] = [
    # Encodings and archives.
    _read("UTF-16 with the high byte first", b"\xfe\xff" + _PLAIN.encode("utf-16-be"), "UTF-16"),
    _read("UTF-16 without a mark", _PLAIN.encode("utf-16-le"), "UTF-16"),
    _read("UTF-32", _PLAIN.encode("utf-32"), "UTF-32"),
    _read("a mark and carriage returns", ("\ufeff" + _lines(_PLAIN, "\r\n")).encode()),
    _read("carriage returns alone", _lines(_PLAIN, "\r"), "carriage returns"),
    _read("zstd", zstandard.compress(_PLAIN.encode()), "zstd"),
    _read("gzip of UTF-16", gzip.compress(_PLAIN.encode("utf-16"), mtime=0), "UTF-16"),
    case(
        "old Cyrillic",
        written({"c": repeated(["да", "нет"]), "x": XS, "ok": OKS}).encode("cp1251"),
        "ok",
        columns={"c": category(), **_X},
        says=(("Windows-1252",),),
    ),
    case("Latin-1 beyond Windows-1252", _CITIES.replace("Q", "\x81").encode("latin-1"), "ok", columns=_X),
    # Separators and quotes.
    _read("semicolons", _PLAIN.replace(",", ";")),
    _read("vertical bars", _PLAIN.replace(",", "|")),
    _read("bars with blanks", _PLAIN.replace(",", " | ")),
    _read("several blanks", _PLAIN.replace(",", "    "), "blanks"),
    _read(
        "columns that are aligned",
        "".join("".join(f"{cell:>12}" for cell in line.split(",")) + "\n" for line in _PLAIN.splitlines()),
        "blanks",
    ),
    _read(
        "everything in quotes",
        "".join(",".join(f'"{cell}"' for cell in line.split(",")) + "\n" for line in _PLAIN.splitlines()),
    ),
    _read("the header in quotes", '"x","z","ok"\n' + _ROWS),
    _read("a line for a spreadsheet", "sep=;\n" + _PLAIN.replace(",", ";"), "line 2"),
    _read("tabs around values", _PLAIN.replace(",", "\t,")),
    _read(
        "single quotes",
        "'x','z','ok'\n" + "".join(",".join(f"'{cell}'" for cell in line.split(",")) + "\n" for line in _LINES),
    ),
    # Above the header, and below the rows.
    _read("three titles and a blank line", "Sales\nCompany Ltd.\nYear 2024\n\n" + _PLAIN, "line 5"),
    _read("blank lines before", "\n\n" + _PLAIN),
    _read("blank lines between", _lines(_PLAIN, "\n\n")),
    _read("a comment after percent", "% made by tool\n" + _PLAIN, "line 2"),
    _read("a comment after slashes", "// made by tool\n" + _PLAIN, "line 2"),
    _read("a comment with commas", "# made by tool, on Monday, again\n" + _PLAIN, "line 2"),
    _read("a comment before the names", "# " + _PLAIN),
    _read("comments and a title", "# one\n# two\nResults\n" + _PLAIN, "line 4"),
    _read("a line of units", _HEADER + "\nkg,cm,\n" + _ROWS, "kg"),
    _refused("two lines of names", "length,width,\n" + _PLAIN, "'ok'", "length, width"),
    _read("a line of sums", _PLAIN + f"Total,{sum(map(float, ZS)):.2f},\n", "Total"),
    _read("a source below", _PLAIN + "Source: World Bank,,\n", "Source"),
    _read(
        "the header once more",
        _HEADER + "\n" + "\n".join(_LINES[:60]) + "\n" + _HEADER + "\n" + "\n".join(_LINES[60:]) + "\n",
        "61",
    ),
    _read("blank fields below", _PLAIN + ",,\n,,\n"),
    _read("no newline at the end", _PLAIN.rstrip("\n")),
    _refused("a mark of the old end", _PLAIN + "\x1a", "line 122"),
    # Names of columns.
    case("no header by an option", _ROWS, "c3", columns=_NAMELESS, task="binary", options={"has_header": False}),
    _read("row numbers of R", _NUMBERED, "row"),
    _read("row names of R", _NAMED, "row"),
    _read("two empty last columns", _lines(_PLAIN, ",,\n"), "empty"),
    _read("names in several lines", '"x","z\n(cm)","ok"\n' + _ROWS, columns={"z\n(cm)": _BOTH["z"]}),
    _read("years for names", "2019,2020,ok\n" + _ROWS, columns={"2019": _BOTH["x"], "2020": _BOTH["z"]}),
    _read("a nameless column within", "x,,ok\n" + _ROWS, "c2", columns=_X),
    _read("names that differ in case", "x,X,ok\n" + _ROWS, columns={"x": _BOTH["x"], "X": _BOTH["z"]}),
    _read("names that differ in blanks", "x,x ,ok\n" + _ROWS, "x_2", columns=_X),
    _read("a name with a comma", '"size, cm",z,ok\n' + _ROWS, columns={"size, cm": _BOTH["x"]}),
    _read("a name with a no-break space", "x\u00a0,z,ok\n" + _ROWS),
    # What is no table, or a broken one.
    _refused("a ragged row", _PLAIN + "1,2\n", "3 fields", "2 in line 122"),
    _refused("an open quote", _PLAIN + '"1,2,yes\n' + _FEW, "quote", "line"),
    _refused("a NUL byte", _PLAIN.encode() + b"1,\x002,yes\n", "NUL", "122"),
    _refused("two tables", _PLAIN + "\na,b\n1,2\n3,4\n", "3 fields", "2 in line"),
    _refused("an empty file", b"", "empty"),
    _refused("only blanks", b"\n \n\n", "line 1"),
    _refused("only names", "x,z,ok\n", "rows below the header"),
    _refused("JSON", json.dumps([{"x": 1, "ok": "yes"}] * 3), "JSON"),
    _refused(
        "JSON in lines", "".join(json.dumps({"x": x, "ok": ok}) + "\n" for x, ok in zip(XS, OKS, strict=True)), "JSON"
    ),
    _refused("a page", "<!DOCTYPE html>\n<html><body><table><tr><td>x</td></tr></table></body></html>\n", "HTML"),
    _refused("a spreadsheet", b"PK\x03\x04" + bytes(60), "spreadsheet"),
    _refused("an old spreadsheet", b"\xd0\xcf\x11\xe0" + bytes(60), "spreadsheet"),
    _refused("a database", b"SQLite format 3\x00" + bytes(60), "database"),
    _refused("a picture", b"\x89PNG\r\n\x1a\n" + bytes(60), "picture"),
    _refused("a broken archive", gzip.compress(_PLAIN.encode(), mtime=0)[:-20], "gzip", "broken"),
    _refused("a pickle", b"\x80\x04\x95" + bytes(range(200)), "table"),
    _refused("prose", "This is a letter.\nIt has no columns.\n", "'ok'"),
]
