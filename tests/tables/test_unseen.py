"""Values that training never saw: which cells they are, what is said of them, and what the network sees instead."""

import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model import encode, read_table
from model.tables.columns import CategoricalColumn, NumericColumn
from model.tables.date_columns import DateColumn, fit_date
from model.tables.numeric_scaling import fit_numeric
from model.tables.parsing import ParseError, parse_text
from model.tables.rare_texts import is_packed, pack_texts
from model.tables.unseen import UnseenValues, closed

pytestmark = pytest.mark.core

COLUMNS = ("number", "gap", "colour", "pooled", "when")
SPECS = (
    NumericColumn(is_open=True),
    NumericColumn(missing=True, is_open=True),
    CategoricalColumn(("blue", "red"), is_open=True, frequencies=(0.25, 0.75)),
    CategoricalColumn(("common",), is_pooled=True, rare=pack_texts(["rare"]), is_open=True, frequencies=(0.5, 0.5)),
    DateColumn("ymd", is_open=True),
)
UNSEEN = UnseenValues(COLUMNS, SPECS)
TEXTS = {
    "number": {"1": None, "": "number: the value is missing, and no value was missing in training"},
    "gap": {"1": None, "NA": None},
    "colour": {
        "red": None,
        "violet": "colour: 'violet' was not seen in training",
        "NA": "colour: the value is missing, and no value was missing in training",
    },
    "pooled": {"common": None, "rare": None, "odd": "pooled: 'odd' was not seen in training"},
    "when": {"2024-01-31": None, "?": "when: the value is missing, and no value was missing in training"},
}


@given(st.lists(st.tuples(*(st.sampled_from(sorted(TEXTS[name])) for name in COLUMNS)), min_size=1, max_size=5))
def test_each_unseen_value_has_a_note_and_is_counted(rows: list[tuple[str, ...]]) -> None:
    values = np.array([[parse_text(spec, text) for spec, text in zip(SPECS, row, strict=True)] for row in rows])
    expected = {
        index: notes
        for index, row in enumerate(rows)
        if (notes := [TEXTS[name][text] for name, text in zip(COLUMNS, row, strict=True) if TEXTS[name][text]])
    }
    found = UNSEEN.find(values, lambda row, column: rows[row][column])
    assert found.notes == expected
    assert sum(found.counts.values()) == sum(map(len, expected.values()))
    assert np.isfinite(encode(SPECS, list(values.T))).all()


def test_a_closed_column_refuses_what_an_open_one_takes() -> None:
    for name, spec, shut in zip(COLUMNS, SPECS, closed(SPECS), strict=True):
        for text, note in TEXTS[name].items():
            if note and name != "pooled":
                with pytest.raises(ParseError, match="was expected"):
                    parse_text(shut, text)
            else:  # a pooled column has an input for all other texts
                assert parse_text(shut, text) == pytest.approx(parse_text(spec, text), nan_ok=True)


def test_the_network_sees_the_average_text_and_the_median_number_for_an_unseen_value(tmp_path: Path) -> None:
    colours = ["red"] * 6 + ["blue"] * 3 + ["green"]
    rows = "".join(f"{colour},{index},{index % 2}\n" for index, colour in enumerate(colours))
    (tmp_path / "table.csv").write_text(f"colour,x,y\n{rows}")
    table = read_table(tmp_path / "table.csv", "y")
    x = encode(table.column_specs, [np.array([3.0, np.nan, 0.0]), np.array([4.0, np.nan, np.nan])])
    averages = table.x[:, :3].mean(axis=0)
    np.testing.assert_allclose(averages, [0.3, 0.1, 0.6], atol=1e-6)
    np.testing.assert_allclose(x[:2], [[*averages, 0], [*averages, 0]], atol=1e-6)
    np.testing.assert_allclose(x[2], [1, 0, 0, 0], atol=1e-6)
    np.testing.assert_allclose(table.x[4, 3], 0, atol=1e-6)


def test_a_missing_date_has_no_inputs() -> None:
    seen = fit_date(np.array([0.0, 86_400.0 * 40]), "ymd")
    open_column = DateColumn(**{name: getattr(seen, name) for name in seen.__struct_fields__} | {"is_open": True})
    assert encode((open_column,), [np.array([np.nan])]).tolist() == [[0.0] * open_column.input_count]
    assert encode((fit_numeric(np.array([1.0, 5.0, 7.0])),), [np.array([5.0])]).tolist() == [[0.0]]


@given(st.sets(st.text(max_size=6), max_size=40), st.text(max_size=6))
def test_packed_texts_are_found_and_no_others(texts: set[str], other: str) -> None:
    packed = pack_texts(texts)
    assert all(is_packed(text, packed) for text in texts)
    assert is_packed(other, packed) == (zlib.crc32(other.encode()) in {zlib.crc32(text.encode()) for text in texts})
