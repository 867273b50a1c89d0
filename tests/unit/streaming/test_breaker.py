"""The breaker opens when a partner keeps failing, tries now and then, and closes when that goes well."""

from headrace.streaming.breaker import FIRST_INTERVAL, IN_A_ROW, LAST, LONGEST, SHARE, Breaker


def opened(now=0.0):
    breaker = Breaker()
    for _ in range(IN_A_ROW):
        breaker.failed(now)
    return breaker


def test_some_failures_are_nothing():
    breaker = Breaker()
    for _ in range(100):
        assert not any(breaker.failed(0.0) for _ in range(IN_A_ROW - 1))
        breaker.succeeded()
        breaker.succeeded()
        breaker.succeeded()

    assert breaker.wait(0.0) == 0.0


def test_failures_in_a_row_open_it_and_are_told_once():
    breaker = Breaker()

    assert [breaker.failed(0.0) for _ in range(IN_A_ROW + 5)].index(True) == IN_A_ROW - 1
    assert breaker.wait(0.0) == FIRST_INTERVAL


def test_a_share_of_failures_opens_it_though_one_goes_well_now_and_then():
    breaker, failures = Breaker(), 0
    while not breaker.is_open:
        failures += 1
        if breaker.failed(0.0):
            break
        if failures % 9 == 0:
            breaker.succeeded()
        assert failures < 3 * LAST

    assert failures >= SHARE * LAST


def test_one_probe_at_a_time_and_only_when_it_is_due():
    breaker = opened()

    assert not breaker.probes(FIRST_INTERVAL - 0.1)
    assert breaker.probes(FIRST_INTERVAL)
    assert not breaker.probes(FIRST_INTERVAL)
    assert breaker.wait(FIRST_INTERVAL) > 0


def test_probes_that_fail_come_less_and_less_often():
    breaker, now, times = opened(), 0.0, []
    for _ in range(12):
        now += breaker.wait(now)
        assert breaker.probes(now)
        breaker.failed(now, is_probe=True)
        times.append(breaker.wait(now))

    assert times[:3] == [10, 20, 40]
    assert times[-1] == FIRST_INTERVAL * LONGEST


def test_failures_of_what_was_under_way_tell_nothing_new():
    breaker = opened()
    for _ in range(50):
        assert not breaker.failed(1.0)

    assert breaker.wait(0.0) == FIRST_INTERVAL


def test_a_probe_that_goes_well_closes_it_and_it_counts_anew():
    breaker = opened()
    assert breaker.probes(FIRST_INTERVAL)

    assert breaker.succeeded()

    assert breaker.wait(FIRST_INTERVAL) == 0.0
    assert not any(breaker.failed(6.0) for _ in range(IN_A_ROW - 1))


def test_a_probe_that_told_nothing_is_made_again():
    breaker = opened()
    assert breaker.probes(FIRST_INTERVAL)

    breaker.drop_probe()

    assert breaker.probes(FIRST_INTERVAL)
