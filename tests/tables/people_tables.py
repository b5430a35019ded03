"""All tables as people have them: those made after public reports, and our variations."""

from tests.tables import (
    people_codes,
    people_dates,
    people_files,
    people_money,
    people_numbers,
    people_targets,
    people_texts,
)

_REPORTING = (people_numbers, people_dates, people_texts, people_targets, people_files)
REPORTED = [case for module in _REPORTING for case in module.REPORTED]
VARIATIONS = [case for module in (*_REPORTING, people_money, people_codes) for case in module.VARIATIONS]
CASES = {case.name: case for case in (*REPORTED, *VARIATIONS)}
