"""Numbers as people write them, and what looks like a number and is none."""

from tests.tables.people import (
    GERMAN_MONEY,
    GERMAN_THOUSANDS,
    MONEY,
    NUMBERS,
    OKS,
    THOUSANDS,
    XS,
    ZS,
    Case,
    case,
    category,
    left_out,
    mixed,
    number,
    one,
    or_else,
    or_said,
    repeated,
    words,
    written,
)

_GERMAN = [x.replace(".", ",") for x in XS]
_CENTS = [round(100 * value, 2) for value in NUMBERS]
_WHOLE = [int(value) for value in NUMBERS]
_AGES = repeated(range(20, 60))


def _gaps(word: str, every: int = 20, cells: tuple[str, ...] = XS) -> list[str]:
    """The cells, with a word in some of them, the first in the fourth row."""
    return [word if row % every == 3 else cell for row, cell in enumerate(cells)]


_WIDE = {ord(digit): 0xFF10 + int(digit) for digit in "0123456789"}
_ARABIC = {ord(digit): 0x660 + int(digit) for digit in "0123456789"} | {ord("."): 0x66B}
_WITH_GAPS = number(*NUMBERS[:3], None, NUMBERS[4])
_MARKED = or_else(number(), "refused")

REPORTED: list[Case] = [
    case(
        "eu_decimal",
        written({"laenge": _GERMAN, "breite": [z.replace(".", ",") for z in ZS], "preis": _GERMAN}, ";"),
        "preis",
        columns={"laenge": number(*NUMBERS[:3]), "breite": number(float(ZS[0]))},
        says=(("laenge", _GERMAN[0]), ("breite", ZS[0].replace(".", ",")), ("preis",)),
        task="regression",
        targets=NUMBERS[:3],
    ),
    words("eu_decimal_cls", {"laenge": _GERMAN}, ";", columns={"laenge": number(*NUMBERS[:3])}, says=(("laenge",),)),
    words(
        "eu_decimal_few",
        {"note": repeated(["3,0", "2,5", "1,0", "4,5"]), "stunden": _AGES},
        ";",
        columns={"note": number(3.0, 2.5, 1.0, 4.5), "stunden": number(20, 21)},
        says=(("note", "3,0"),),
    ),
    case(
        "thousands",
        written({"income": THOUSANDS, "age": _AGES, "price": THOUSANDS}),
        "price",
        columns={"income": number(*(1000 * value for value in NUMBERS[:3])), "age": number(20, 21)},
        says=(("income",), ("price",)),
        task="regression",
        targets=tuple(1000 * value for value in NUMBERS[:3]),
    ),
    words(
        "thousands_cls",
        {"income": repeated(["20,000", "20,000", "35,500", "41,000"])},
        columns={"income": number(20000, 20000, 35500, 41000)},
        says=(("income", "20,000"),),
    ),
    words(
        "percent", {"rate": repeated(["20%", "21%", "35%"])}, columns={"rate": number(20, 21, 35)}, says=(("rate",),)
    ),
    words("percent_many", {"rate": [f"{x}%" for x in XS]}, columns={"rate": number(*NUMBERS[:3])}, says=(("rate",),)),
    case(
        "currency",
        written({"item": XS, "price": [f"${text}" for text in MONEY]}),
        "price",
        columns={"item": number(*NUMBERS[:3])},
        says=(("price", "$"),),
        task="regression",
        targets=tuple(_CENTS[:3]),
    ),
    one("dash_missing", _gaps("-"), _WITH_GAPS, "'-'", "missing", header="horsepower"),
    words(
        "word_missing",
        {"dose": _gaps("unknown", 20, repeated(["12", "9", "10", "11", "13"]))},
        columns={"dose": number(12, 9, 10, None, 13)},
        says=(("dose", "unknown", "missing"),),
    ),
    words(
        "mixed_cell",
        {"hp": ["oops" if row == 33 else cell for row, cell in enumerate(repeated(["12", "9", "10"]))]},
        columns={"hp": number(12, 9, 10)},
        says=(("hp", "oops", "34"),),
    ),
    words(
        "none_null",
        {"v": [("None", "NULL", "n/a")[row % 3] if row % 10 == 3 else z for row, z in enumerate(ZS)]},
        columns={"v": number(*map(float, ZS[:3]), None)},
    ),
    words(
        "none_only",
        {"v": _gaps("None", 10, repeated(["12", "9", "10", "11", "13"]))},
        columns={"v": number(12, 9, 10, None)},
    ),
    one("unit_suffix", [f"{value} kg" for value in _WHOLE], number(*_WHOLE[:3]), "kg", header="weight"),
    one(
        "leading_plus",
        [f"{'+' if row % 2 else '-'}{z}" for row, z in enumerate(ZS)],
        number(-float(ZS[0]), float(ZS[1])),
        header="t",
    ),
    one(
        "paren_neg",
        [f"({z})" if row % 2 else z for row, z in enumerate(ZS)],
        number(float(ZS[0]), -float(ZS[1])),
        f"({ZS[1]})",
        header="pnl",
    ),
    one("coded_999", _gaps("-999", 10), or_else(number()), "-999"),
    one("cat_int", range(1, 7), number(1, 2, 3), header="store"),
    case(
        "infs",
        written({"v": ["inf" if row == 5 else z for row, z in enumerate(ZS)], "x": XS, "ok": OKS}),
        "ok",
        refused=("inf", "'v'", "row 6"),
    ),
    words("constant", {"k": repeated(["5"])}, columns={"k": or_else(number(5, 5), "left out")}),
    words("all_missing", {"k": repeated([""])}, columns={"k": or_said(left_out())}),
]

VARIATIONS: list[Case] = [
    # Decimals, thousands and signs.
    one("narrow spaces", [text.replace(",", "\u202f") for text in THOUSANDS], number(20000), "20"),
    one("thin spaces", [text.replace(",", "\u2009") for text in THOUSANDS], or_else(number(20000), "refused")),
    one("spaces and a comma", [text.replace(".", " ") for text in GERMAN_MONEY], number(*_CENTS[:3]), ","),
    one("points between thousands", [*GERMAN_THOUSANDS[:30], "1.234.567"], number(20000), ".", separator=";"),
    one(
        "only points between thousands",
        GERMAN_THOUSANDS,
        or_said(number(20000, 1000 * NUMBERS[1])),
        header="umsatz",
        separator=";",
    ),
    one("a comma behind 0", ["0,208", "0,201", "0,117"], number(0.208, 0.201, 0.117), "0,208"),
    one("a comma behind 0 in a file of tabs", ["0,208", "0,201"], number(0.208, 0.201), "0,208", separator="\t"),
    one("a comma behind 0 in some cells", ["9,584", "0,142", "1,25"], number(9.584, 0.142, 1.25), "9,584", "9.584"),
    one("a comma behind two zeros", ["00,977", "00,982"], number(0.977, 0.982), "00,977"),
    one("a blank behind 0", ["0 932", "0 941"], category("0 932", "0 941")),
    one("an apostrophe behind 0", ["0'482", "0'512"], category("0'482", "0'512")),
    one("trailing minus", mixed("{}", "{}-"), or_else(number(NUMBERS[0], -NUMBERS[1]), "refused")),
    one("true minus", [f"−{z}" for z in ZS], number(-float(ZS[0]))),
    one("negative zero", ["-0.0", "0.0", "1.5", "-2"], number(0, 0, 1.5, -2)),
    one("exponents", ["1e5", "2.5E-3", "3e+2", "4"], number(1e5, 2.5e-3, 300, 4)),
    one("exponents with a comma", ["1,5e3", "2,25E-1", "3,5e0"], number(1500, 0.225, 3.5), "1,5e3"),
    one("underscores", ["1_000", "25_500", "3_250_000"], or_else(or_said(number(1000, 25500)), "category")),
    one("leading point", [".5", ".25", "1.", "0.75"], number(0.5, 0.25, 1, 0.75)),
    one("percent with a comma", ["12,5 %", "3,75 %", "100 %"], number(12.5, 3.75, 100), "%", separator=";"),
    one(
        "percent in some cells",
        mixed("0.{0[3]}5", "{}%"),
        or_else(number(float(f"0.{XS[0][3]}5"), NUMBERS[1] / 100), "refused"),
        "%",
    ),
    one("full-width digits", [x.translate(_WIDE) for x in XS], or_said(number(*NUMBERS[:3]))),
    one("arabic digits", [x.translate(_ARABIC) for x in XS], or_said(number(*NUMBERS[:3]))),
    one("an apostrophe before", [f"'{x}" for x in XS], or_else(number(*NUMBERS[:3]), "refused")),
    one("hexadecimal", ["0x1F", "0x2A", "0xFF", "0x10"], or_said(category("0x1F", "0x2A"))),
    one("fractions", ["1/2", "3/4", "1 1/2", "2"], or_said(category("1/2", "3/4"))),
    # Words for missing.
    *(
        one(f"missing as {word}", _gaps(word), _WITH_GAPS, word)
        for word in ("--", "—", ".", "..", "n.a.", "k.A.", "missing", "#DIV/0!", "(null)", "\\N", "ND", "*", ":")
    ),
    *(
        one(f"missing as {word}", _gaps(word), _WITH_GAPS)
        for word in ("none", "NONE", "NIL", "NaN", "#N/A", "<NA>", "Null", "N/A", "N.A.", "na")
    ),
    one(
        "two words for missing",
        _gaps("unknown", 20, tuple(_gaps("n.d.", 15))),
        number(*NUMBERS[:3], None),
        "unknown",
    ),
    one("a dash and k.A.", _gaps("-", 10, tuple(_gaps("k.A.", 15))), number(*NUMBERS[:3], None), "k.A."),
    one("refused ages", _gaps("refused", 10, tuple(_gaps("unknown", 7, _AGES))), number(20, 21, 22, None), "refused"),
    one("unknown ages", _gaps("refused", 10, tuple(_gaps("unknown", 7, _AGES))), number(20, 21, 22, None), "unknown"),
    one(
        "two words among few numbers",
        _gaps("many", 10, tuple(_gaps("none at all", 7, repeated(["1", "2", "3"])))),
        category("1", "2", "3", "many"),
    ),
    one("missing in a few cells of many", _gaps("tbd", 60), _WITH_GAPS, "tbd", "4"),
    # Sentinels.
    one("missing as -1", _gaps("-1", 10), number(), "-1"),
    one("missing as 9999", _gaps("9999", 10), number(), "9999"),
    one("missing as -9999.0", _gaps("-9999.0", 10), number(), "-9999"),
    one("ages of 999", _gaps("999", 10, _AGES), number(), "999", header="age"),
    # More than a number.
    one("below the limit", mixed("{}", "<0.5"), _MARKED, "<0.5"),
    one("about", mixed("{}", "~{}"), _MARKED, "~"),
    one("footnotes", mixed("{}", "{}*"), _MARKED, "*"),
    one("numbered footnotes", mixed("{}", "{}[1]"), _MARKED, "[1]"),
    one("flags of Eurostat", mixed("{}", "{} p"), _MARKED, "p"),
    one("ranges", ["10-20", "20-30", "30-40", "40+"], category("10-20", "20-30")),
    one("limits", ["<5", "5-10", ">10", ">100"], category("<5", "5-10")),
    one("three and more", ["0", "1", "2", "3+"], category("0", "1", "2", "3+")),
    one("uncertain", ["1.2±0.1", "3.4±0.2", "2.2±0.1"], category("1.2±0.1")),
    one("out of ten", ["8/10", "7/10", "10/10", "6/10"], category("8/10")),
    one("blood pressure", [f"{110 + value}/{60 + value}" for value in _WHOLE], category()),
]
