"""The cases that are not yet read as a person would read them, and what happens instead."""

_WHY: dict[str, tuple[str, ...]] = {
    "points between thousands alone are read as decimals": ("only points between thousands",),
    "such numbers are taken for texts": (
        "rupees in lakhs",
        "lakhs",
        "parentheses after the dollar",
        "wages in K and M",
        "trailing minus",
        "thin spaces",
        "zlotys",
        "mixed case of units",
        "units in brackets",
        "inches",
        "an apostrophe before",
    ),
    "numbers with marks are taken for texts": (
        "below the limit",
        "about",
        "footnotes",
        "numbered footnotes",
    ),
    "the note does not show what is odd": ("flags of Eurostat",),
    "percents and shares are mixed": ("percent in some cells",),
    "an error of a spreadsheet has a digit": ("missing as #DIV/0!",),
    "codes of three digits lose their zeros": ("county codes",),
    "a word that is a value is taken for missing without a word": ("countries with Namibia", "none is a kind"),
    "what looks alike is not the same": ("two ways to write é", "spaces without width"),
    "the quotes are part of the names": ("single quotes",),
    "a comment is taken for the header": ("a comment with commas", "a comment before the names"),
    "the line of the NUL byte is not said": ("a NUL byte",),
    "the format is not said": ("JSON", "JSON in lines", "a page"),
}
NOT_YET = {name: reason for reason, names in _WHY.items() for name in names}

# The cases that the service or `nudge predict` does not answer as training reads them.
_OTHER: dict[str, tuple[str, ...]] = {
    "a word that is taken for missing in training is refused in scoring": (
        "mixed_cell",
        "missing in a few cells of many",
        "a line of units",
        "a line of sums",
        "a source below",
        "the header once more",
    ),
    "a body with such a number is refused, and a query is not": ("paren_neg", "true minus"),
}
OTHER_ANSWERS = {name: reason for reason, names in _OTHER.items() for name in names}
