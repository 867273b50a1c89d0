"""Metrics: what they count, that they stay few, and that every event of the product can be told by one."""

import threading
from dataclasses import dataclass, fields
from typing import ClassVar

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from headrace import meters
from headrace.events import Board, Event, MessageDelivered, described, meter_of
from headrace.meters import OTHER, Meter, Meters


@dataclass(frozen=True, slots=True, kw_only=True)
class Poured:
    """Something was poured."""

    labels: ClassVar[tuple[str, ...]] = ("vessel", "kind")

    vessel: str
    kind: str = "water"
    drops: int = 1
    seconds: float = 0.0


def metered():
    return Meter("headrace_poured", "Poured.", ("vessel", "kind"), ("drops",), {"seconds": (0.1, 1.0)})


def scraped(meter):
    registry, collector = CollectorRegistry(), Meters()
    collector.add(meter)
    registry.register(collector)
    families = text_string_to_metric_families(generate_latest(registry).decode())
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value for family in families for sample in family.samples
    }


def test_events_are_counted_and_their_fields_summed():
    meter = metered()
    meter.take(Poured(vessel="cup", drops=3))
    meter.take(Poured(vessel="cup", drops=4))
    meter.take(Poured(vessel="jug"))

    found = scraped(meter)
    cup = (("kind", "water"), ("vessel", "cup"))
    assert found["headrace_poured_total", *cup] == 2
    assert found["headrace_poured_drops_total", *cup] == 7
    assert found["headrace_poured_total", ("kind", "water"), ("vessel", "jug")] == 1


def test_a_histogram_holds_each_value_in_every_larger_bucket():
    meter = metered()
    for seconds in (0.05, 0.1, 0.5, 7.0):
        meter.take(Poured(vessel="cup", seconds=seconds))

    found = scraped(meter)
    cup = (("kind", "water"), ("vessel", "cup"))
    counts = [
        found["headrace_poured_seconds_bucket", *sorted([*cup, ("le", bound)])] for bound in ("0.1", "1.0", "+Inf")
    ]
    assert counts == [2, 3, 4]
    assert found["headrace_poured_seconds_sum", *cup] == pytest.approx(7.65)
    assert found["headrace_poured_seconds_count", *cup] == 4


def test_series_are_bounded_and_nothing_goes_uncounted(monkeypatch):
    monkeypatch.setattr(meters, "MOST_SERIES", 10)
    meter = metered()
    for number in range(50):
        meter.take(Poured(vessel=f"cup-{number}"))

    found = {key: value for key, value in scraped(meter).items() if key[0] == "headrace_poured_total"}
    assert len(found) == 11
    assert sum(found.values()) == 50
    assert found["headrace_poured_total", ("kind", OTHER), ("vessel", OTHER)] == 40


def test_labels_are_escaped():
    meter = metered()
    meter.take(Poured(vessel='a "cup"\nof\\tea'))

    assert ("headrace_poured_total", ("kind", "water"), ("vessel", 'a "cup"\nof\\tea')) in scraped(meter)


def test_threads_lose_no_count():
    meter = metered()
    counting = [
        threading.Thread(target=lambda: [meter.take(Poured(vessel="cup")) for _ in range(5000)]) for _ in "abcd"
    ]
    for thread in counting:
        thread.start()
    for thread in counting:
        thread.join()

    assert scraped(meter)["headrace_poured_total", ("kind", "water"), ("vessel", "cup")] == 20_000


@pytest.mark.parametrize("kind", Event.__subclasses__(), ids=lambda kind: kind.__name__)
def test_what_an_event_declares_are_fields_of_it(kind):
    declared = {*kind.counts, *kind.labels, *kind.observes}

    assert declared <= {field.name for field in fields(kind)}
    assert meter_of(kind).text


#: What a label may say: ids and words of which there are few, never a person, an address or a secret.
BOUNDED = {
    "account",
    "alert",
    "answer",
    "code",
    "dataflow",
    "kind",
    "logger",
    "noun",
    "quota",
    "reason",
    "state",
    "step",
    "target",
}


def test_labels_are_ids_and_words_of_which_there_are_few():
    assert {label for metric in described() for label in metric.labels} <= BOUNDED


def test_what_is_not_logged_is_metered_all_the_same(capfd):
    board = Board("json")
    board(MessageDelivered(dataflow="flow", entries=5, message="m", waited_seconds=0.3))
    text = board.exposition().decode()
    board.close()

    assert 'headrace_message_delivered_entries_total{dataflow="flow"} 5.0' in text
    assert 'headrace_message_delivered_waited_seconds_bucket{dataflow="flow",le="0.5"} 1.0' in text
    assert capfd.readouterr().err == ""
