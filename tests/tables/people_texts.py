"""Words, remarks, ids and truth values as people have them."""

import hashlib

import polars as pl

from tests.tables.people import (
    NUMBERS,
    OKS,
    ROWS,
    XS,
    YS,
    Case,
    Column,
    case,
    category,
    left_out,
    not_number,
    number,
    one,
    or_else,
    or_said,
    parquet,
    repeated,
    words,
    written,
)

_HASHES = [hashlib.sha256(str(row).encode()).hexdigest() for row in range(ROWS)]
_TEXT_OR_NOTHING = or_said(Column(("category", "left out")))
_LIKELY_ID = or_else(number(), "left out", "category")

REPORTED: list[Case] = [
    one("id_int", range(1000, 1000 + ROWS), _LIKELY_ID, "id", header="id"),
    case(
        "index_leak",
        written({"": range(ROWS), "x": XS, "ok": OKS}),
        "ok",
        columns={"row": left_out()},
        says=(("row numbers",),),
    ),
    case(
        "unnamed0",
        written({"Unnamed: 0": range(ROWS), "x": XS, "ok": OKS}),
        "ok",
        columns={"Unnamed: 0": left_out()},
        says=(("Unnamed: 0",),),
    ),
    one("id_text", [f"C{row:05}" for row in range(ROWS)], left_out(), "120", header="uid"),
    one("zip_zero", ["02139", "07302", "10001", "94105"], category("02139", "07302"), "02139", header="zip"),
    one("bigint_id", [9007199254740993 + row for row in range(ROWS)], _TEXT_OR_NOTHING, header="acct"),
    words(
        "yes_no",
        {"smoker": repeated(["Yes", "No"]), "member": repeated("TTF"), "flag": repeated("YYN")},
        columns={"smoker": category("Yes", "No"), "member": category("T", "T", "F"), "flag": category("Y", "Y", "N")},
    ),
    words(
        "yes_no_case",
        {"smoker": repeated(["Yes", "No", "yes", "Yes", "No", "NO "])},
        columns={"smoker": category("Yes", "No", "Yes", "Yes", "No", "No")},
        says=(("smoker", "yes", "Yes"), ("smoker", "NO", "No")),
    ),
    case(
        "bool_py",
        written({"flag": repeated(["True", "False", "True"]), "x": XS, "ok": [str(ok == "yes").upper() for ok in OKS]}),
        "ok",
        columns={"flag": category("true", "false", "true")},
        classes=(False, True),
        task="binary",
    ),
    words(
        "quoted_newline",
        {"note": [f'line {row % 5}\nnext, "q"' for row in range(ROWS)]},
        columns={"note": category('line 0\nnext, "q"', 'line 1\nnext, "q"')},
    ),
    one(
        "high_card",
        [f"name{row * 31 % 69}" for row in range(ROWS)],
        or_else(left_out(), "category"),
        "69",
        header="name",
    ),
    words("new_missing", {"z": XS[::-1]}, columns={"x": number(*NUMBERS[:2]), "z": number(float(XS[-1]))}),
    words("new_category", {"c": repeated(["red", "blue", "red"])}, columns={"c": category("red", "blue", "red")}),
    parquet(
        "pq_types",
        {
            "tiny": pl.Series([row % 100 for row in range(ROWS)], dtype=pl.Int8),
            "flag": pl.Series([row % 3 == 0 for row in range(ROWS)]),
            "kind": pl.Series(repeated(["a", "b", "c"]), dtype=pl.Categorical),
            "cost": pl.Series([f"{x}" for x in XS]).cast(pl.Decimal(10, 2)),
            "ok": pl.Series(OKS),
        },
        "ok",
        columns={
            "tiny": number(0, 1, 2),
            "flag": category("true", "false", "false"),
            "kind": category("a", "b", "c"),
            "cost": number(*NUMBERS[:3]),
        },
    ),
    parquet(
        "pq_list",
        {
            "l": pl.Series([[row] for row in range(ROWS)]),
            "s": pl.Series([{"a": row} for row in range(ROWS)]),
            "ok": pl.Series(OKS),
        },
        "ok",
        refused=("l, s", "--drop"),
    ),
    parquet(
        "pq_nan",
        {"v": pl.Series([float("nan") if row == 1 else row / 2 for row in range(ROWS)]), "ok": pl.Series(OKS)},
        "ok",
        columns={"v": number(0, None, 1)},
    ),
]

VARIATIONS: list[Case] = [
    # Ids and row numbers.
    one("numbers of rows with a name", range(1, ROWS + 1), _LIKELY_ID, "rownames", header="rownames"),
    one("invoices", [f"INV-{row:04}" for row in range(ROWS)], left_out(), "120", header="invoice"),
    one("hashes", _HASHES, left_out(), "120"),
    one(
        "unique ids",
        [f"{each[:8]}-{each[8:12]}-4{each[13:16]}-a{each[17:20]}-{each[20:32]}" for each in _HASHES],
        left_out(),
        "120",
    ),
    one(
        "hashes of digits and an e",
        [f"{row % 9 + 1}{row:03}e{row % 10}{row % 7}" for row in range(ROWS)],
        or_else(_TEXT_OR_NOTHING, "refused"),
        header="hash",
    ),
    one("mails", [f"person{row}@example.org" for row in range(ROWS)], left_out(), "120"),
    one("pages", [f"https://example.org/page?id={row}&x=1" for row in range(ROWS)], left_out(), "120"),
    one(
        "tickets",
        [f"A/5 {row * 7919 % 100000}" if row % 3 else f"{row * 7919 % 100000}" for row in range(ROWS)],
        or_else(left_out(), "category"),
        header="Ticket",
    ),
    one("remarks", [f"This is remark {row}. " * 40 for row in range(ROWS)], left_out(), "120", header="remark"),
    case(
        "remarks that are kept",
        written({"remark": [f"text {row}" for row in range(ROWS)], "x": XS, "y": YS}),
        "y",
        columns={"remark": category()},
        options={"keep": ("remark",)},
    ),
    # Truth values.
    one("ones and zeros", [1, 0, 1, 1], or_else(number(1, 0), "category")),
    one("on and off", ["on", "off", "ON", "off"], category("on", "off", "on"), "ON"),
    one("ja and nein", ["ja", "nein", "Ja", "ja"], category("ja", "nein", "ja"), "Ja"),
    one("true in many spellings", ["TRUE", "false", "True", "FALSE"], category("true", "false", "true", "false")),
    one("yes and 1", ["yes", "no", "1", "0"], category("yes", "no", "1", "0")),
    one("ticks", ["✓", "", "✓", "✗"], category("✓", None, "✓", "✗")),
    one("crosses", ["x", "", "", "x"], category("x", None, None, "x")),
    one("m and f in any case", ["M", "F", "m", "F", "M", "f"], category("M", "F", "M", "F", "M", "F"), "'m'"),
    # Words.
    one("agreement", ["Strongly agree", "Agree", "Neutral", "Disagree"], category("Strongly agree", "Agree")),
    one("agreement in numbers", ["5 - Strongly agree", "4 - Agree", "1 - Disagree"], category("5 - Strongly agree")),
    one("several values", ["a;b;c", "a;c", "b", "a;b"], or_said(category("a;b;c", "a;c"))),
    one("several numbers", ["1,3", "2,4", "1,2,3", "2"], or_said(category("1,3", "2,4"))),
    one("genres", ["Action|Comedy", "Drama", "Action|Drama"], category("Action|Comedy", "Drama")),
    one("entities of HTML", ["Food &amp; Drink", "Arts &#39;n&#39; Crafts", "Music"], category("Food &amp; Drink")),
    one("smileys", ["😀", "😢", "👍🏽", "😀"], category("😀", "😢", "👍🏽")),
    one("Chinese words", ["北京", "上海", "廣州"], category("北京", "上海"), header="城市"),
    one("Arabic words", ["القاهرة", "دبي", "بيروت"], category("القاهرة", "دبي"), header="مدينة"),
    one(
        "two ways to write é",
        ["caf\u00e9", "cafe\u0301", "th\u00e9", "bar"],
        or_said(category("caf\u00e9", "caf\u00e9")),
    ),
    one("blanks around words", ["red ", " red", "red", " blue\t"], category("red", "red", "red", "blue")),
    one("no-break spaces around words", ["red\u00a0", "red", "\u00a0blue"], category("red", "red", "blue")),
    one(
        "spaces without width",
        ["red\u200b", "red", "blue", "\ufeffblue"],
        or_said(category("red", "red", "blue", "blue")),
    ),
    one("sizes", ["S", "M", "L", "XL"], category("S", "M", "L", "XL")),
    one("grades", ["A+", "A", "B-", "C"], category("A+", "A", "B-")),
    one("Roman numbers", ["I", "II", "III", "IV"], category("I", "II")),
    one("quotes within", ['the "ox"', "the 'cat'", "a, b"], category('the "ox"', "the 'cat'", "a, b")),
    one("colours of pages", ["#ff0000", "#00ff00", "#0000ff"], category("#ff0000", "#00ff00")),
    one("objects", ['{"a": 1}', '{"a": 2}', "[]"], category('{"a": 1}', '{"a": 2}')),
    one("diagnoses", ["E11.9", "250.00", "I10", "V45.81"], category("E11.9", "250.00", "I10")),
    one("Canadian postal codes", ["K1A 0B6", "M5V 2T6", "H2X 1Y4"], category("K1A 0B6")),
    one(
        "countries with Namibia", ["DE", "NA", "FR", "ZA"], or_said(category("DE", "NA", "FR", "ZA")), header="country"
    ),
    one("none is a kind", ["BrkFace", "None", "Stone", "None"], or_said(category("BrkFace", "None")), header="veneer"),
    one("nobody is called null", ["Smith", "Null", "Lee", "Smith"], category("Smith", "Null", "Lee"), header="surname"),
    one("words for missing among words", ["red", "n/a", "blue", "?"], category("red", None, "blue", None)),
    one("unknown among words", ["red", "unknown", "blue", "-"], category("red", "unknown", "blue", "-")),
    one("lines in a field", ["a\nb", "c\r\nd", "a\nb"], category("a\nb")),
    one("a formula", ["=1+1", "=SUM(A1:A2)", "@user"], category("=1+1")),
    one("bytes in text", ["b'abc'", "b'def'", "b'abc'"], category("b'abc'", "b'def'")),
    one("counts in brackets", ["red (3)", "blue (12)", "red (3)"], category("red (3)", "blue (12)")),
    one("stars", ["★★★★", "★★", "★★★★★"], category("★★★★", "★★")),
    one("scales of reviews", ["4.5 out of 5", "3 out of 5", "5 out of 5"], or_else(category("4.5 out of 5"), "number")),
    one("rooms", ["1 bath", "2 baths", "1.5 shared baths"], or_else(category("1 bath"), "number")),
    one("products", ["10W-40", "5W-30", "0W-20"], category("10W-40", "5W-30")),
    one("chemicals", ["H2O", "CO2", "2-propanol"], category("H2O", "CO2")),
    one("keys of a keyboard", ["1", "2", "#", "*"], not_number()),
]
