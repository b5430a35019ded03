"""Targets as people have them: classes, counts, ratings and amounts, and what cannot be predicted."""

import numpy as np
import polars as pl

from tests.tables.people import NUMBERS, OKS, ROWS, XS, YS, ZS, Case, case, number, parquet, repeated, written

_RARE = ["1" if row % 40 == 7 else "0" for row in range(ROWS)]
_LONG = np.random.default_rng(1).lognormal(11, 1.2, ROWS)


def _target(name: str, cells: object, **expected: object) -> Case:
    """A case of an odd target t, with two columns of numbers."""
    return case(name, written({"x": XS, "z": ZS, "t": repeated(list(cells))}), "t", **expected)  # type: ignore[call-overload]


REPORTED: list[Case] = [
    case(
        "target_space",
        written({"x": XS, "ok": repeated(["good", "good ", " bad"])}),
        "ok",
        task="binary",
        classes=("bad", "good"),
    ),
    _target("target_12", [2, 1, 1, 2], task="binary", classes=(1, 2)),
    _target("target_rating", [5, 6, 5, 7, 3, 8, 4, 6], says=(("t", "multiclass"),)),
    _target("target_count", [8, 3, 0, 20, 1, 5, 12, 2, 4], says=(("t",),)),
    case(
        "names",
        written({"Größe (cm)": XS, "a.b[0]": ZS, "R&D spend": ZS, "ok?": OKS, "100% %20": repeated([0, 1])}),
        "ok?",
        columns={name: number() for name in ("Größe (cm)", "a.b[0]", "R&D spend", "100% %20")},
        task="binary",
    ),
    case("imbalance", written({"x": XS, "z": ZS, "fraud": _RARE}), "fraud", task="binary", classes=(0, 1)),
    case("tiny5", "x,ok\n1,a\n2,a\n3,b\n4,b\n5,a\n", "ok", task="binary", classes=("a", "b")),
    case("tiny3reg", "x,y\n1,10\n2,20\n3,30\n", "y", task="regression", targets=(10, 20, 30)),
    case("tiny12reg", written({"x": range(12), "y": [(x + 1) ** 2 for x in range(12)]}), "y", task="regression"),
    _target(
        "one_row_class",
        ["q"] * 60 + ["r"] * 59 + ["lonely"],
        classes=("q", "r"),
        says=(("t", "lonely", "row 120", "left out"),),
    ),
    case("heavy_tail", written({"q": XS, "price": [f"{value:.0f}" for value in _LONG]}), "price", task="regression"),
    _target("negative_target", [f"-{10 + float(x):.2f}" for x in XS], task="regression", targets=(-10 - NUMBERS[0],)),
    _target("target_missing", ["", "yes", "no", "yes", "no"], task="binary", classes=("no", "yes")),
    case(
        "wide",
        written({"ok": OKS, **{f"f{index}": XS[index % 60 :] + XS[: index % 60] for index in range(120)}}),
        "ok",
        columns={"f0": number(*NUMBERS[:2]), "f119": number()},
    ),
    _target("many_classes", [f"w{row}" for row in range(40)], task="multiclass"),
    parquet(
        "pq_target_dec",
        {"x": pl.Series(map(float, XS)), "price": pl.Series(YS).cast(pl.Decimal(10, 2))},
        "price",
        task="regression",
        targets=(float(YS[0]),),
    ),
    parquet(
        "pq_target_cat",
        {"x": pl.Series(map(float, XS)), "ok": pl.Series(OKS, dtype=pl.Categorical)},
        "ok",
        task="binary",
        classes=("no", "yes"),
    ),
]

VARIATIONS: list[Case] = [
    _target(
        "yes in any case", ["Yes", "no", "yes", "no", "Yes"], task="binary", classes=("Yes", "no"), says=(("t", "yes"),)
    ),
    _target("minus one and one", [-1, 1, 1], task="binary", classes=(-1, 1)),
    _target("whole floats", ["0.0", "1.0", "1.0"], task="binary", classes=(0, 1)),
    _target("dots after labels", ["<=50K.", ">50K.", "<=50K."], task="binary", classes=("<=50K.", ">50K.")),
    _target("low, mid and high", ["low", "mid", "high"], task="multiclass", classes=("high", "low", "mid")),
    _target("labels with zeros", ["01", "02", "03"], task="multiclass"),
    _target("kilograms", [f"{x} kg" for x in XS], task="regression", targets=NUMBERS[:3], says=(("t", "kg"),)),
    _target("percents", [f"{x}%" for x in XS], task="regression", targets=NUMBERS[:3], says=(("t", "%"),)),
    _target(
        "dollars", [f"${float(x) * 1000:,.0f}" for x in XS], task="regression", targets=(20000,), says=(("t", "$"),)
    ),
    _target("probabilities", [f"{row / 120:.4f}" for row in range(ROWS)], task="regression", targets=(0,)),
    _target("years to predict", range(1990, 2020), task="regression", targets=(1990, 1991)),
    _target("stars in halves", ["4.5", "3.0", "5.0", "2.5", "4.0"], task="regression", targets=(4.5, 3)),
    _target(
        "amounts with gaps",
        ["-" if row % 20 == 3 else x for row, x in enumerate(XS)],
        task="regression",
        says=(("t", "'-'"),),
    ),
    _target(
        "amounts with a stray",
        ["oops" if row == 33 else x for row, x in enumerate(XS)],
        task="regression",
        says=(("t", "oops", "34"),),
    ),
    _target("labels with gaps", ["yes", "no", "n/a"], task="binary", classes=("no", "yes")),
    _target(
        "labels with unknown",
        ["yes", "no", "yes", "no", "unknown"],
        task="multiclass",
        classes=("no", "unknown", "yes"),
    ),
    _target("a single value", ["yes"], refused=("two different values", "yes", "--target")),
    _target("nothing at all", [""], refused=("t", "--target")),
    _target("a name for every row", [f"name {row}" for row in range(ROWS)], refused=("classes", "120", "--target")),
    _target("several labels", ["a;b", "a", "b;c"], task="multiclass", classes=("a", "a;b", "b;c")),
    _target("labels beyond 2^53", ["9007199254740993", "9007199254740995"], refused=("2^53",)),
    _target("large amounts", [f"{float(x) * 1e9:.0f}" for x in XS], task="regression", targets=(2e10,)),
    _target("counts of nothing", [0, 0, 0, 1, 0, 2], says=(("t", "multiclass"),)),
    _target("truth in many spellings", ["TRUE", "false", "True"], task="binary", classes=(False, True)),
    case("another case of the name", written({"x": XS, "Price": YS}), "price", refused=("'price'", "Price")),
    case(
        "blanks around the name", written({"x": XS, " price ": YS}), "price", task="regression", targets=(float(YS[0]),)
    ),
    case("a missing name", written({"x": XS, "y": YS}), "label", refused=("'label'", "x, y")),
    case("the target alone", written({"y": YS}), "y", refused=("column",)),
]
