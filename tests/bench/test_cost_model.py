"""The model of the cost, against sums and simulations that do without its formulas."""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.cost_model import Links, Rows, Starts, fitted_links, fitted_rows

DEVICES = st.integers(0, 10).map(lambda power: 2**power)
TIMES = st.floats(1e-9, 10.0)
LINKS = st.builds(Links, latency=st.floats(1e-7, 1e-2), bandwidth=st.floats(1e6, 1e12))


@given(devices=DEVICES, units=st.integers(1, 3000), unit=TIMES)
def test_starts_take_as_long_as_the_device_with_the_most(devices: int, units: int, unit: float) -> None:
    shares = [0] * devices
    for number in range(units):
        shares[number % devices] += 1
    assert Starts(2.0, unit).seconds(devices, units=units, epochs=3) == pytest.approx(2.0 + 3 * unit * max(shares))


@given(power=st.integers(0, 5), cores=st.integers(1, 64), unit=TIMES)
def test_devices_that_share_cores_take_turns(power: int, cores: int, unit: float) -> None:
    """With as many units on every device, the cores are busy all the time, or each device has one for itself."""
    devices, units = 2**power, 32
    expected = units * unit / min(devices, cores)
    assert Starts(0.0, unit).seconds(devices, units=units, epochs=1, cores=cores) == pytest.approx(expected)


@given(devices=DEVICES, links=LINKS, size=st.integers(1, 10**9))
def test_a_sum_passes_every_level_of_a_tree_and_every_part_of_a_ring_twice(
    devices: int, links: Links, size: int
) -> None:
    levels, remaining = 0, devices
    while remaining > 1:
        levels, remaining = levels + 1, remaining // 2
    sent = sum(2 * size / devices for _ in range(devices - 1))
    assert links.all_reduce(devices, size) == pytest.approx(2 * levels * links.latency + sent / links.bandwidth)


@given(devices=DEVICES.filter(lambda count: count > 1), links=LINKS, size=st.integers(10**5, 10**8))
def test_links_are_found_again_from_two_sums(devices: int, links: Links, size: int) -> None:
    found = fitted_links(devices, links.all_reduce(devices, 0), links.all_reduce(devices, size), size)
    assert found.latency == pytest.approx(links.latency)
    assert found.bandwidth == pytest.approx(links.bandwidth, rel=1e-3)


@given(step=TIMES, row=TIMES)
def test_steps_are_found_again_from_two_batches(step: float, row: float) -> None:
    costs = Rows(1.0, step, row, 4)
    small, large = (costs.step_seconds(1, Links(1.0, 1.0), batch=batch) for batch in (100, 1000))
    found = fitted_rows(1.0, (100, small), (1000, large), 4)
    assert found.row == pytest.approx(row)
    assert found.step == pytest.approx(step, rel=1e-6, abs=1e-6 * large)


def test_the_time_of_rows_is_that_of_every_step() -> None:
    costs, links = Rows(5.0, 1e-3, 1e-6, 1000), Links(1e-4, 1e6)
    # 10 rows in steps of 4, 4 and 2, of which a device has at most 2; 2 messages and 1,000 bytes in each.
    step = 1e-3 + 2e-6 + 2e-4 + 1e-3
    assert costs.seconds(2, links, rows=10, batch=4, epochs=7) == pytest.approx(5.0 + 7 * 3 * step)


@given(links=LINKS, row=st.floats(1e-9, 1e-4), batch=st.integers(1, 10**6))
def test_no_other_number_of_devices_is_faster(links: Links, row: float, batch: int) -> None:
    costs = Rows(0.0, 1e-4, row, 20_000)
    best = costs.best_devices(links, batch=batch)
    fastest, devices = inf, 1
    while devices <= 2**20:
        fastest, devices = min(fastest, costs.step_seconds(devices, links, batch=batch)), 2 * devices
    assert costs.step_seconds(best, links, batch=batch) == fastest
