"""Do expanded values come in the order of Python's own loops? Laws over generated inputs."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.authoring.support import Rehearsal
from tradewind import DAG, EmptyOperator
from tradewind.model.orders import XComValue
from tradewind.model.spec import FixedLength
from tradewind.sdk.context_values import Context
from tradewind.sdk.expand_input import ArgumentDicts, ValueLists
from tradewind.sdk.lazy_sequence import PAGE, LazyXComSequence
from tradewind.sdk.mapped_values import NOT_GIVEN, ConcatenatedValues, MappedValues, ZippedValues
from tradewind.sdk.memory_channel import MemoryChannel, RunMemory

values = st.lists(st.integers(), max_size=6)
any_values = values | values.map(tuple) | st.dictionaries(st.text(max_size=2), st.integers(), max_size=4)
parts = st.lists(values, min_size=1, max_size=4)


class Index:
    """All that an expansion asks of a task instance."""

    def __init__(self, map_index: int) -> None:
        self.map_index = map_index


def at(index: int) -> Context:
    return Context({"ti": Index(index)})


def elements(given: Any) -> list[Any]:
    return list(given.items()) if isinstance(given, dict) else list(given)


@given(st.dictionaries(st.sampled_from("abcd"), any_values, min_size=1, max_size=4))
def test_arguments_run_through_the_product_in_the_order_of_nested_loops(arguments):
    expanded = ValueLists(arguments)
    combinations = itertools.product(*map(elements, arguments.values()))
    wanted = [dict(zip(arguments, combination, strict=True)) for combination in combinations]

    size = 1
    for length in expanded.lengths():
        assert isinstance(length, FixedLength)
        size *= length.length

    assert size == len(wanted)
    assert [expanded.resolve(at(index)).values for index in range(size)] == wanted


@given(st.lists(st.dictionaries(st.text(max_size=2), st.integers()), max_size=5))
def test_dicts_come_one_by_one(dicts):
    expanded = ArgumentDicts(dicts)

    assert expanded.lengths() == (FixedLength(len(dicts)),)
    assert [expanded.resolve(at(index)).values for index in range(len(dicts))] == dicts


@given(parts)
def test_zip_is_pythons(lists):
    assert list(ZippedValues(lists)) == list(zip(*lists, strict=False))
    assert list(ZippedValues(lists, None)) == list(itertools.zip_longest(*lists))
    assert len(ZippedValues(lists, 0)) == max(map(len, lists))
    assert len(ZippedValues(lists, NOT_GIVEN)) == min(map(len, lists))


@given(parts)
def test_concat_is_pythons_chain(lists):
    joined = list(itertools.chain(*lists))

    assert list(ConcatenatedValues(lists)) == joined
    assert len(ConcatenatedValues(lists)) == len(joined)
    assert list(reversed(ConcatenatedValues(lists))) == joined[::-1]


@given(values, st.lists(st.sampled_from([str, lambda v: v + v, repr]), max_size=3))
def test_map_applies_one_function_behind_the_other(given, functions):
    wanted = given
    for function in functions:
        wanted = list(map(function, wanted))

    assert list(MappedValues(given, functions)) == wanted


@given(values, st.slices(6), st.integers(-8, 8))
def test_derived_sequences_are_indexed_and_sliced_as_lists_are(given, part, place):
    for derived in (MappedValues(given, ()), ConcatenatedValues([given[:2], given[2:]])):
        assert derived[part] == given[part]
        if -len(given) <= place < len(given):
            assert derived[place] == given[place]
        else:
            with pytest.raises(IndexError):
                derived[place]


# --- lazy sequences ------------------------------------------------------------------------------------------------


class Counting(MemoryChannel):
    """Notes what is asked of it."""

    asked: list[tuple[int, int]]

    def get_xcom_range(self, task_id, key, start, stop):
        self.asked.append((start, stop))
        return super().get_xcom_range(task_id, key, start, stop)


def lazy(given: list[int], gaps: int = 0) -> tuple[LazyXComSequence, Counting]:
    """A mapped task whose indexes left ``given``; before each one there are ``gaps`` indexes that left nothing."""
    with DAG("etl") as made:
        EmptyOperator(task_id="t")
    memory = RunMemory()
    for number, one in enumerate(given):
        memory.xcoms["up", number * (gaps + 1) + gaps, "return_value"] = XComValue("return_value", str(one))
    channel = Counting(Rehearsal(made).order("t"), memory)
    channel.asked = []
    return LazyXComSequence(channel, "up", "return_value"), channel


@given(values, st.integers(0, 3), st.slices(6), st.integers(-8, 8))
def test_a_lazy_sequence_is_the_list_of_what_was_left(given, gaps, part, place):
    found, _ = lazy(given, gaps)

    assert list(found) == given
    assert len(found) == len(given)
    assert list(reversed(found)) == given[::-1]
    assert found[part] == given[part]
    assert found == given
    assert (given and found.index(given[-1])) == (given and given.index(given[-1]))
    assert (7 in found, found.count(0), sum(found)) == (7 in given, given.count(0), sum(given))
    if -len(given) <= place < len(given):
        assert found[place] == given[place]
    else:
        with pytest.raises(IndexError):
            found[place]


def test_reducing_ten_thousand_asks_for_a_page_at_a_time():
    given = list(range(10_000))
    found, channel = lazy(given)

    assert sum(found) == sum(given)

    assert len(channel.asked) <= len(given) / PAGE + 1
    assert max(stop - start for start, stop in channel.asked) == PAGE


def test_an_index_asks_for_its_own_element_alone():
    found, channel = lazy(list(range(10_000)))

    assert found[4_321] == 4_321
    assert channel.asked == [(4_321, 4_322)]


def test_walking_by_number_asks_for_pages_after_the_first_element():
    given = list(range(1_000))
    found, channel = lazy(given)

    assert [ZippedValues([found, found])[i] for i in range(3)] == [(0, 0), (1, 1), (2, 2)]
    assert [found[i] for i in range(1_000)] == given
    assert len(channel.asked) <= 1_000 / PAGE + 2


def test_a_part_of_a_lazy_sequence_asks_for_no_more_than_it_spans():
    found, channel = lazy(list(range(1_000)))

    assert found[250:460:7] == list(range(250, 460, 7))
    assert min(start for start, _ in channel.asked) == 250
    assert max(stop for _, stop in channel.asked) <= 460
    assert found[::400] == [0, 400, 800]


def test_how_a_lazy_sequence_shows_itself():
    found, _ = lazy([1, 2, 3])

    assert repr(found) == str(found) == "LazyXComSequence(<unevaluated length>)"
    assert len(found) == 3
    assert repr(found) == "LazyXComSequence([3 items])"
    assert (found == {1, 2, 3}) is False
    assert hash(found) == hash((1, 2, 3))
    with pytest.raises(TypeError, match="must be integers or slices, not str"):
        found["a"]
