"""Does every value come back the same, and is every other one refused with words that help?"""

from __future__ import annotations

import math
from collections import OrderedDict, namedtuple
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pendulum
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.authoring.xcom_types import Colour, Flight, Level, Needy, Point, Rights, Tree, Word
from tradewind.sdk.assets.definitions import Asset
from tradewind.sdk.channel import FoundXCom
from tradewind.sdk.rendered import shown
from tradewind.xcom import XComDecodeError, XComEncodeError, XComPolicy, XComTooLarge, check_size, decode, encode
from tradewind.xcom.store import pack, unpack

texts = st.text(st.characters(exclude_categories=["Cs"]))
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | texts
    | st.binary()
    | st.decimals(allow_nan=False)
    | st.dates()
    | st.times()
    | st.timedeltas()
    | st.uuids()
    | st.datetimes()
    | st.datetimes(timezones=st.timezones())
    | st.datetimes(timezones=st.just(UTC))
    | st.sampled_from([*Colour, *Level, *Word, Rights.READ | Rights.WRITE, Rights(0)])
    | st.builds(Point, st.floats(allow_nan=False), tags=st.lists(texts).map(tuple))
)
hashable = st.none() | st.booleans() | st.integers() | texts | st.dates() | st.uuids() | st.tuples(st.integers(), texts)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(texts | st.just("__tw__"), inner)
        | st.dictionaries(texts, inner)
        | st.sets(hashable)
        | st.frozensets(hashable)
        | st.builds(Tree, inner)
    ),
    max_leaves=12,
)


def kinds(value: Any) -> Any:
    """The types inside a value: equality alone would take 1 for True and a list for nothing else."""
    if isinstance(value, dict):
        return (dict, sorted((repr(k), kinds(v)) for k, v in value.items()).__repr__())
    if isinstance(value, list | tuple):
        return (type(value), [kinds(one) for one in value])
    if isinstance(value, set | frozenset):
        return (type(value), sorted(repr(kinds(one)) for one in value))
    return type(value)


@settings(deadline=None)  # the first example pays for imports
@given(values)
def test_what_goes_in_comes_out(value):
    back = decode(encode(value))

    assert back == value
    assert kinds(back) == kinds(value)


@settings(deadline=None)  # the first example pays for imports
@given(st.sets(hashable, min_size=2))
def test_the_same_set_is_the_same_text(items):
    assert encode(items) == encode({*sorted(items, key=repr)})


@pytest.mark.parametrize("value", [math.inf, -math.inf, Decimal("sNaN"), Decimal("-0"), -0.0])
def test_numbers_at_the_edge_come_back(value):
    assert repr(decode(encode(value))) == repr(value)


def test_not_a_number_comes_back():
    assert math.isnan(decode(encode(math.nan)))


def test_instants_keep_zone_and_fold():
    twice = datetime(2024, 10, 27, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"), fold=1)

    back = decode(encode(twice))

    assert (back, back.fold, back.tzinfo.key, back.utcoffset()) == (twice, 1, "Europe/Berlin", timedelta(hours=1))
    assert decode(encode(datetime(2024, 1, 1, tzinfo=timezone(timedelta(hours=5.5))))).utcoffset() == timedelta(
        hours=5.5
    )
    assert decode(encode(time(1, 2, tzinfo=UTC))) == time(1, 2, tzinfo=UTC)


def test_a_pendulum_instant_comes_back_as_the_same_instant():
    when = pendulum.datetime(2024, 3, 31, 5, tz="Europe/Berlin")

    back = decode(encode({"when": when}))["when"]

    assert back == when
    assert type(back) is pendulum.DateTime  # whoever gets it goes on calculating: back.add(days=1)
    assert back.timezone_name == "Europe/Berlin"
    assert decode(encode(datetime(2024, 3, 31, tzinfo=UTC))).__class__ is datetime


def test_keys_become_text_as_in_json():
    assert decode(encode({1: "a", None: "b", (1, 2): "c"})) == {"1": "a", "None": "b", "(1, 2)": "c"}
    with pytest.raises(XComEncodeError, match="two keys are the same as text"):
        encode({1: "a", "1": "b"})


def test_an_asset_comes_back():
    asset = Asset("orders", uri="s3://shop/orders", group="shop", extra={"owner": "sales"})

    assert decode(encode({"asset": asset}))["asset"] == asset


def test_a_number_of_any_size_comes_back_and_can_be_shown():
    assert decode(encode(2**70)) == 2**70
    assert shown([2**70, 7]) == ["1180591620717411303424", 7]


def test_a_dict_that_looks_like_ours_stays_a_dict():
    for value in ({"__tw__": "date", "v": "2024-01-01"}, {"__tw__": "uuid"}, {"__tw__": {"__tw__": 1}}):
        assert decode(encode(value)) == value


def test_plain_json_is_stored_as_it_is():
    assert encode({"rows": [1, 2.5, "ä", None, True]}) == '{"rows":[1,2.5,"ä",null,true]}'


def test_models_and_nested_classes_come_back():
    flight = Flight(carrier="UA", delay=3.5, stops=[Point(1, 2)])

    assert decode(encode([flight, Tree.Leaf.GREEN, Tree(1, [Tree(date(2024, 1, 1))])])) == [
        flight,
        Tree.Leaf.GREEN,
        Tree(1, [Tree(date(2024, 1, 1))]),
    ]


def test_other_things_of_pendulum_and_zones_come_back():
    for value in (pendulum.date(2024, 1, 2), pendulum.timezone("Europe/Paris"), ZoneInfo("Europe/Paris")):
        back = decode(encode([value]))[0]

        assert back == value
        assert type(back) is type(value)


def test_a_named_tuple_comes_back_as_a_tuple():
    back = decode(encode({"pair": _Pair(1, (2,))}))["pair"]

    assert back == (1, (2,))
    assert type(back) is tuple


_Pair = namedtuple("_Pair", "a b")


class Odd:
    pass


def _ring() -> list[Any]:
    ring: list[Any] = []
    ring.append(ring)
    return ring


@dataclass
class _Holder:
    x: Any


def _local() -> Any:
    class Inside(Enum):
        A = 1

    return Inside.A


def test_subclasses_of_plain_kinds_come_back_as_the_plain_kind():
    class Header(str):
        pass

    class Count(int):
        pass

    found = decode(encode([Header("Server"), Count(3), OrderedDict(a=Header("b"))]))

    assert found == ["Server", 3, {"a": "b"}]
    assert [type(one) for one in found] == [str, int, dict]


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (Odd(), "is of type tests.authoring.test_xcom.Odd"),
        ({"a": [1, {"b": Odd()}]}, "at ['a'][1]['b'] is of type"),
        (_Holder([Odd()]), "at .x[0] is of type"),
        ({Odd(): 1}, "is of type"),
        (lambda: 1, "is of type builtins.function"),
        (_ring(), "contains itself"),
        ("\ud800", "lone surrogates"),
        (_local(), "stands inside a function"),
        (ValueError("x"), "is of type builtins.ValueError"),
    ],
)
def test_others_are_refused_with_type_place_and_mend(value, says):
    with pytest.raises(XComEncodeError) as caught:
        encode(value, "The return value of task 'extract'")

    message = str(caught.value)
    assert message.startswith("The return value of task 'extract'")
    assert says in message
    assert "write a file and return its path" in message


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "cannot be read"),
        ('{"__tw__":"pickle","v":"x"}', "unknown kind 'pickle'"),
        ('{"__tw__":"enum","v":["no.such.module:X","A"]}', "cannot be imported"),
        ('{"__tw__":"enum","v":["tests.authoring.xcom_types:Gone","A"]}', "cannot be imported"),
        ('{"__tw__":"enum","v":["tests.authoring.xcom_types:Colour","GREEN"]}', "no member 'GREEN'"),
        ('{"__tw__":"enum","v":["tests.authoring.xcom_types:Point","A"]}', "is not an Enum"),
        ('{"__tw__":"dataclass","v":["tests.authoring.xcom_types:not_a_class",{}]}', "is not a dataclass"),
        ('{"__tw__":"dataclass","v":["subprocess:Popen",{"args":"id"}]}', "is not a dataclass"),
        ('{"__tw__":"pydantic","v":["tests.authoring.xcom_types:Colour",{}]}', "is not a pydantic model"),
        ('{"__tw__":"dataclass","v":["tests.authoring.xcom_types:Point",{}]}', "has changed since"),
        ('{"__tw__":"date"}', "cannot be read"),
        ('{"__tw__":"decimal","v":"x"}', "cannot be read"),
    ],
)
def test_what_cannot_be_read_back_says_why(text, says):
    with pytest.raises(XComDecodeError, match=says):
        decode(text)


def test_a_field_that_is_gone_is_left_out_and_a_new_one_has_its_default():
    assert decode('{"__tw__":"dataclass","v":["tests.authoring.xcom_types:Point",{"x":1,"gone":5}]}') == Point(1)


def test_a_dataclass_with_init_only_fields_says_that_it_cannot_come_back():
    with pytest.raises(XComDecodeError, match="missing 1 required"):
        decode(encode(Needy(1, 2)))


def test_size_is_counted_in_bytes():
    assert check_size("ä" * 10, 20) == 20
    with pytest.raises(XComTooLarge, match="20 bytes as JSON; at most 19 .*xcom_object_store"):
        check_size("ä" * 10, 19)


def test_large_values_go_to_the_object_store_and_come_back(tmp_path):
    policy = XComPolicy(max_inline_bytes=10, object_store=f"file://{tmp_path}/store")
    place = ("dag", "manual__2024-01-01T00:00:00+00:00", "group.task", "-1", "1")

    small = pack("k", "x", policy, place, "It")
    large = pack("return_value", {"rows": list(range(50))}, policy, place, "It")

    assert (small.value, small.location) == ('"x"', None)
    assert large.value is None and large.location is not None and large.size_bytes > 10
    assert unpack(large.value, large.location) == {"rows": list(range(50))}


def test_a_value_that_left_the_object_store_says_so(tmp_path):
    with pytest.raises(XComDecodeError, match=r"gone.json cannot be read: FileNotFoundError"):
        unpack(None, f"file://{tmp_path}/gone.json")


def test_found_xcoms_carry_their_place():
    found = FoundXCom("t", -1, "r", encode(UUID(int=5)))

    assert unpack(found.value, found.location) == UUID(int=5)
