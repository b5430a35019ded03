"""The rows that are held out: every class by its share, whole groups, and the latest rows, against brute force."""

from itertools import product

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from model.training.held_out_rows import class_counts, draw_groups, draw_rows, latest_rows


@given(st.lists(st.integers(1, 9), min_size=1, max_size=4), st.integers(0, 12))
def test_the_numbers_of_the_classes_are_the_nearest_to_their_shares(sizes: list[int], count: int) -> None:
    """Among all numbers within the limits, the sum of the squared differences is the smallest."""
    count = min(count, sum(sizes) - len(sizes))
    with_two = sum(size > 1 for size in sizes)
    assume(count >= with_two)
    ranges = [range(min(1, size - 1), size) for size in sizes]
    shares = [count * size / sum(sizes) for size in sizes]

    def distance(takes: tuple[int, ...]) -> float:
        return sum((take - share) ** 2 for take, share in zip(takes, shares, strict=True))

    best = min(distance(takes) for takes in product(*ranges) if sum(takes) == count)
    found = tuple(class_counts(np.array(sizes), count).tolist())
    assert sum(found) == count
    assert all(take in allowed for take, allowed in zip(found, ranges, strict=True))
    assert distance(found) == pytest.approx(best)


@given(st.lists(st.integers(1, 9), min_size=2, max_size=9), st.data())
def test_of_too_many_classes_the_largest_have_a_row_each(sizes: list[int], data: st.DataObject) -> None:
    with_two = sum(size > 1 for size in sizes)
    count = data.draw(st.integers(0, with_two))
    takes = class_counts(np.array(sizes), count)
    assert sorted(takes) == [0] * (len(sizes) - count) + [1] * count
    chosen, others = (sorted(np.array(sizes)[takes == each]) for each in (1, 0))
    assert not (chosen and others) or chosen[0] >= others[-1]
    assert not chosen or chosen[0] > 1


def test_the_first_rows_of_each_class_are_drawn() -> None:
    drawn = draw_rows(np.array([1, 0, 0, 1, 0, 0, 1, 0, 0]), 3)
    assert np.nonzero(drawn)[0].tolist() == [0, 1, 2]


TIMES = st.lists(st.one_of(st.integers(0, 6).map(float), st.just(float("nan"))), min_size=1, max_size=20)


@given(TIMES, st.integers(1, 20))
def test_the_latest_rows_are_the_nearest_number_of_whole_times(times: list[float], count: int) -> None:
    """All moments from which rows could be held out are tried."""
    known = sorted({time for time in times if time == time})
    drawn = latest_rows(np.array(times), count)
    if len(known) < 2:
        assert not drawn.any()
        return
    starts = {start: sum(time >= start for time in times) for start in known[1:]}
    first = min(time for time, is_drawn in zip(times, drawn, strict=True) if is_drawn)
    assert drawn.tolist() == [time >= first for time in times]
    assert abs(starts[first] - count) == min(abs(rows - count) for rows in starts.values())


ROWS = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 2)), min_size=4, max_size=60)


@given(ROWS, st.floats(0.05, 0.5), st.integers(0, 99))
def test_no_group_and_no_class_is_drawn_in_part_or_as_a_whole(
    rows: list[tuple[int, int]], share: float, seed: int
) -> None:
    groups, classes = np.array(rows).T
    drawn = draw_groups(groups, classes, max(1, round(share * len(rows))), np.random.default_rng(seed))
    assert not set(groups[drawn]) & set(groups[~drawn])
    assert set(classes[~drawn]) == set(classes)
    groups_that_may = [group for group in set(groups) if set(classes[groups != group]) == set(classes)]
    assert drawn.any() == bool(groups_that_may)


@given(st.lists(st.integers(1, 30), min_size=2, max_size=12), st.floats(0.05, 0.5), st.integers(0, 99))
def test_no_further_group_would_bring_the_number_of_rows_nearer(sizes: list[int], share: float, seed: int) -> None:
    groups = np.repeat(np.arange(len(sizes)), sizes)
    count = max(1, round(share * len(groups)))
    drawn = draw_groups(groups, np.zeros(len(groups)), count, np.random.default_rng(seed))
    found = int(drawn.sum())
    left = [size for group, size in enumerate(sizes) if group not in set(groups[drawn])]
    assert left
    if len(left) > 1:
        assert abs(found - count) <= min(abs(found + size - count) for size in left)


@given(st.integers(0, 99))
def test_a_class_in_few_groups_is_held_out_too(seed: int) -> None:
    """60 groups of 5 rows; the rare class has a row in 3 of them."""
    groups = np.repeat(np.arange(60), 5)
    classes = np.isin(np.arange(300), (7, 101, 250)).astype(int)
    drawn = draw_groups(groups, classes, 45, np.random.default_rng(seed))
    assert 1 <= classes[drawn].sum() <= 2
    assert drawn.sum() == 45


@given(st.integers(0, 99))
def test_groups_of_one_class_each_are_drawn_by_the_shares_of_the_classes(seed: int) -> None:
    """A fifth of the groups, so a fifth of each class."""
    groups = np.repeat(np.arange(100), 4)
    classes = (groups % 10 == 0).astype(int) + 2 * (groups % 10 == 5)
    drawn = draw_groups(groups, classes, 80, np.random.default_rng(seed))
    assert np.bincount(classes[drawn]).tolist() == [64, 8, 8]


@given(st.integers(0, 99))
def test_the_numbers_of_the_groups_do_not_matter(seed: int) -> None:
    random = np.random.default_rng(seed)
    groups, classes, names = random.integers(0, 12, 80), random.integers(0, 2, 80), random.permutation(100)
    first, second = (draw_groups(each, classes, 12, np.random.default_rng(seed)) for each in (groups, names[groups]))
    assert first.tolist() == second.tolist()
