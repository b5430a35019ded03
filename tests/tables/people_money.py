"""Amounts of money and numbers with a unit."""

from tests.tables.people import (
    GERMAN_MONEY,
    MONEY,
    NUMBERS,
    ROWS,
    THOUSANDS,
    XS,
    Case,
    category,
    left_out,
    mixed,
    number,
    one,
    or_else,
    or_said,
)

_CENTS = number(*(100 * value for value in NUMBERS[:3]))
_THOUSAND = number(*(1000 * value for value in NUMBERS[:3]))
_NUMBERS, _NEGATIVE = number(*NUMBERS[:3]), number(NUMBERS[0], -NUMBERS[1], NUMBERS[2])
_LAKHS = [f"{row % 9 + 1},{int(float(x)):02},{int(100 * float(x)) % 1000:03}" for row, x in enumerate(XS)]
_RUPEES = or_else(number(*(float(text.replace(",", "")) for text in _LAKHS[:3])), "refused")
_METRES = [f"1.{200 + row} m" if row % 3 == 1 else f"{140 + row / 2} cm" for row in range(ROWS)]
_SIDES = [text.replace(".", ",") for text in mixed("{} S", "{} H")]

VARIATIONS: list[Case] = [
    one("swiss francs", [f"CHF {text.replace(',', chr(39))}" for text in MONEY], _CENTS, "CHF"),
    one("francs without cents", ["CHF 1'308.–", "CHF 222.–", "CHF 49.50"], number(1308, 222, 49.5), "CHF 1'308.–"),
    one("a point and a dash", ["222.-", "310.-", "87.-"], number(222, 310, 87), "222.-"),
    one("a point and two dashes", ["222.--", "310.--", "87.50"], number(222, 310, 87.5), "222.--"),
    one("euros without cents", ["51,- €", "12,- €", "49,90 €"], number(51, 12, 49.9), "51,- €", separator=";"),
    one("a comma and a dash", ["12,–", "51,—", "1.308,-"], number(12, 51, 1308), "12,–", separator=";"),
    one("a minus behind cents", ["25.07-", "12.50", "-3.-"], number(-25.07, 12.5, -3), "25.07-"),
    one("swiss apostrophes", [text.replace(",", "’") for text in MONEY], _CENTS, "’"),
    one("pounds", [f"£{x}" for x in XS], _NUMBERS, "£"),
    one("yen", [f"¥{text}" for text in THOUSANDS], _THOUSAND, "¥"),
    one("reais", [f"R$ {text}" for text in GERMAN_MONEY], _CENTS, "R$"),
    one("euros after", [f"{text} €" for text in GERMAN_MONEY], _CENTS, "€", separator=";"),
    one("euro code", [f"EUR {x}" for x in XS], _NUMBERS, "EUR"),
    one("dollar code after", [f"{text} USD" for text in MONEY], _CENTS, "USD"),
    one("crowns after", [f"{text.replace(',', ' ')} kr" for text in THOUSANDS], _THOUSAND, "kr"),
    one("zlotys", [f"{x.replace('.', ',')} zł" for x in XS], or_else(_NUMBERS, "refused"), "zł"),
    one("rupees in lakhs", [f"₹{text}" for text in _LAKHS], _RUPEES, "₹"),
    one("lakhs", [f"{text}.00" for text in _LAKHS], _RUPEES, ".00"),
    one("dollars in parentheses", mixed("${}", "(${})"), _NEGATIVE, "$"),
    one("parentheses after the dollar", mixed("${}", "$({})"), or_else(_NEGATIVE, "refused"), "$"),
    one("minus after the dollar", mixed("${}", "$-{}"), _NEGATIVE, "$"),
    one("a dollar and a dash for nothing", mixed("$ {}", "$ -"), or_else(number(NUMBERS[0]), "refused"), "$"),
    one("two currencies", mixed("${}", "€{}"), or_else(left_out(), "refused"), header="price"),
    one("wages in K and M", mixed("€{}K", "€{}M"), or_else(number(1e3 * NUMBERS[0], 1e6 * NUMBERS[1]), "refused")),
    one("followers in k", [f"{x}k" for x in XS], or_said(_THOUSAND), "k"),
    one("millions", [f"{x}M" for x in XS], or_said(number(1e6 * NUMBERS[0])), "M", header="revenue"),
    one("mixed case of units", mixed("{} kg", "{} KG"), or_else(_NUMBERS, "refused"), "kg"),
    one("units in brackets", [f"{x} (kg)" for x in XS], or_else(_NUMBERS, "refused"), "kg"),
    one("units near and far", mixed("{} kg", "{}kg"), _NUMBERS, "kg"),
    one("debit and credit", mixed("{} S", "{} H"), or_else(left_out(), "refused")),
    one("debit and credit in Germany", _SIDES, or_else(left_out(), "refused"), "units", header="betrag", separator=";"),
    one("degrees", [f"{x} °C" for x in XS], _NUMBERS, "°C"),
    one("inches", [f'{x}"' for x in XS], or_else(_NUMBERS, "refused"), '"'),
    one("superscripts", [f"{x} m²" for x in XS], _NUMBERS, "m²"),
    one("per second", [f"{x} m/s" for x in XS], _NUMBERS, "m/s"),
    one("bytes", mixed("{} MB", "{} GB"), or_else(number(NUMBERS[0], 1000 * NUMBERS[1]), "left out", "refused")),
    one("two units of fuel", mixed("{} kmpl", "{} km/kg"), or_else(left_out(), "refused"), header="mileage"),
    one("two units of length", _METRES, or_else(left_out(), "refused"), header="height"),
    one("latitudes", mixed("{}° N", "{}° S"), or_else(_NEGATIVE, "left out", "refused")),
    one("latitudes in minutes", [f"{x[:2]}°{x[3:]}'N" for x in XS], or_else(number(), "left out", "refused")),
    one("year and years", ["1 year", "2 years", "5 years", "1 year", "10 years"], or_else(number(1, 2, 5), "category")),
    one("lent years", ["10+ years", "< 1 year", "3 years", "1 year", "5 years"], category("10+ years", "< 1 year")),
    one("feet and inches", ["5'11\"", "6'2\"", "5'9\"", "6'0\""], or_said(category("5'11\"", "6'2\""))),
]
