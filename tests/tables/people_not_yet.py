"""The cases that are not yet read as a person would read them, and what happens instead."""

_WHY: dict[str, tuple[str, ...]] = {}
NOT_YET = {name: reason for reason, names in _WHY.items() for name in names}

# The cases that the service or `nudge predict` does not answer as training reads them.
_OTHER: dict[str, tuple[str, ...]] = {}
OTHER_ANSWERS = {name: reason for reason, names in _OTHER.items() for name in names}
