"""What looks like a number and is none: codes, ranges, versions and results."""

from tests.tables.people import XS, YS, Case, case, category, not_number, one, or_else, or_said, repeated, written

VARIATIONS: list[Case] = [
    one("county codes", ["001", "003", "045", "119"], or_said(category("001", "003")), header="county"),
    one("postal codes with four more", ["02139-4307", "10001-0012", "94105-1234"], category("02139-4307")),
    one("codes in quotes of a formula", ['="02139"', '="10001"', '="94105"'], or_else(category(), "refused")),
    one("an apostrophe before codes", ["'02139", "'10001", "'94105"], category("'02139")),
    one("phones", [f"({200 + row}) 555-{1000 + 37 * row}" for row in range(120)], not_number()),
    one("phones abroad", [f"+49 30 {100000 + 7919 * row}" for row in range(120)], not_number()),
    one("addresses of machines", [f"192.168.{row % 7}.{row}" for row in range(120)], not_number()),
    one("versions", ["1.2.3", "1.10.0", "2.0.1"], not_number()),
    one("bank codes", ["20-45-67", "12-10-05", "30-98-76", "04-00-04"], not_number(), header="sort_code"),
    one("wheel drives", ["4WD", "2WD", "4WD", "AWD"], not_number()),
    one("ordinals", ["1st", "2nd", "3rd", "2nd"], not_number()),
    one("school classes", ["10A", "10B", "9C", "8A"], not_number()),
    one("blood groups", ["A+", "0-", "AB-", "B+", "0+"], category("A+", "0-", "AB-")),
    one("results of games", ["2:1", "0:0", "3:2", "1:4"], category("2:1", "0:0")),
    one("results of handball", ["28:25", "31:30", "22:27", "24:19"], not_number(), header="result"),
    one("card numbers", [f"4{row:03}00000000{row:04}" for row in range(120)], not_number()),
    case(
        "stores named with an option",
        written({"store": repeated(range(1, 7)), "x": XS, "y": YS}),
        "y",
        columns={"store": category("1", "2")},
        options={"categorical": ("store",)},
    ),
]
