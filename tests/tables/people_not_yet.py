"""The cases that are not yet read as a person would read them, and what happens instead."""

_WHY: dict[str, tuple[str, ...]] = {
    "dates with a word for missing are no dates": (
        "dates with NaT",
        "dates with a dash",
        "dates with never",
        "dates with zeros",
    ),
    "months in words need a day": ("names of months and years", "long names of months and years"),
    "such dates are taken for texts": (
        "days of the week before",
        "German months",
        "French months",
        "Spanish months",
        "ordinal days",
        "Chinese dates",
        "moments without marks",
        "moments of mails",
        "moments of a log",
        "moments of C",
        "months and years",
    ),
    "such durations are taken for texts": (
        "more than a day of hours",
        "hours and minutes",
        "durations of pandas",
        "durations of ISO 8601",
    ),
}
NOT_YET = {name: reason for reason, names in _WHY.items() for name in names}

# The cases that the service or `nudge predict` does not answer as training reads them.
_OTHER: dict[str, tuple[str, ...]] = {"durations cannot be written as CSV": ("pq_duration",)}
OTHER_ANSWERS = {name: reason for reason, names in _OTHER.items() for name in names}
