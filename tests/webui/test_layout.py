"""Laws of the layout, over generated DAGs with nested groups."""

from __future__ import annotations

import sys
from collections import Counter
from itertools import combinations, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from webui.graph.layout import lay_out
from webui.graph.order import order_columns
from webui.graph.picture import Drawing, Group, Leaf, Rect, Scene
from webui.graph.place import isotonic
from webui.graph.ranks import rank_items, split_back_edges


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    group_count = draw(st.integers(0, 5))
    groups = [Group(f"g{n}", draw(st.sampled_from([None, *(f"g{m}" for m in range(n))]))) for n in range(group_count)]
    parents = [None, *(group.id for group in groups)]
    count = draw(st.integers(1, 24))
    leaves = [
        Leaf(f"t{n}", draw(st.sampled_from(parents)), draw(st.sampled_from([80.0, 120.0, 210.0])), 44.0)
        for n in range(count)
    ]
    pairs = [(f"t{a}", f"t{b}") for a in range(count) for b in range(a + 1, count)]
    edges = draw(st.lists(st.sampled_from(pairs), max_size=40, unique=True)) if pairs else []
    return Scene(tuple(leaves), tuple(groups), tuple(edges))


def overlap(a: Rect, b: Rect) -> bool:
    return (
        a.x < b.x + b.width - 0.01
        and b.x < a.x + a.width - 0.01
        and a.y < b.y + b.height - 0.01
        and b.y < a.y + a.height - 0.01
    )


def holds(outer: Rect, inner: Rect) -> bool:
    return (
        outer.x <= inner.x + 0.01
        and outer.y <= inner.y + 0.01
        and inner.x + inner.width <= outer.x + outer.width + 0.01
        and inner.y + inner.height <= outer.y + outer.height + 0.01
    )


def around(scene: Scene, item: str) -> set[str]:
    parent = {leaf.id: leaf.parent for leaf in scene.leaves}
    parent.update({group.id: group.parent for group in scene.groups})
    found = set()
    here = parent[item]
    while here is not None:
        found.add(here)
        here = parent[here]
    return found


def assert_lawful(scene: Scene, drawing: Drawing) -> None:
    assert drawing.leaves.keys() == {leaf.id for leaf in scene.leaves}
    everything = {**drawing.leaves, **drawing.groups}
    canvas = Rect(0, 0, drawing.width, drawing.height)
    for (a, place_a), (b, place_b) in combinations(everything.items(), 2):
        if a in around(scene, b):
            assert holds(place_a, place_b), (a, b)
        elif b in around(scene, a):
            assert holds(place_b, place_a), (a, b)
        else:
            assert not overlap(place_a, place_b), (a, b)
    assert all(holds(canvas, place) for place in everything.values())


@settings(max_examples=150, deadline=None)
@given(scenes(), st.booleans())
def test_no_box_overlaps_another_and_each_lies_inside_its_group(scene, top_down):
    assert_lawful(scene, lay_out(scene, top_down=top_down))


@settings(max_examples=50, deadline=None)
@given(scenes())
def test_the_same_scene_gives_the_same_drawing(scene):
    assert lay_out(scene) == lay_out(scene)


@settings(max_examples=80, deadline=None)
@given(scenes())
def test_every_edge_is_drawn_from_its_source_to_its_target(scene):
    drawing = lay_out(scene)
    for edge in scene.edges:
        mine = [line for line in drawing.lines if edge in line.serves]
        assert [line.from_id for line in mine if line.from_id is not None] == [edge[0]]
        assert [line.to_id for line in mine if line.to_id is not None] == [edge[1]]


def test_what_waits_stands_to_the_right_of_what_it_waits_for():
    leaves = tuple(Leaf(name, None, 100.0, 44.0) for name in "abcd")
    drawing = lay_out(Scene(leaves, (), (("a", "b"), ("b", "d"), ("a", "c"), ("c", "d"), ("a", "d"))))

    x = {name: rect.x for name, rect in drawing.leaves.items()}
    assert x["a"] < x["b"] == x["c"] < x["d"]


def test_a_fan_is_centred_on_the_task_that_it_leaves():
    leaves = tuple(Leaf(name, None, 100.0, 44.0) for name in ("s", "a", "b", "c"))
    drawing = lay_out(Scene(leaves, (), (("s", "a"), ("s", "b"), ("s", "c"))))

    assert drawing.leaves["s"].y == pytest.approx(drawing.leaves["b"].y, abs=1)


def test_a_long_line_goes_around_the_boxes_between():
    leaves = tuple(Leaf(name, None, 100.0, 44.0) for name in "abcd")
    drawing = lay_out(Scene(leaves, (), (("a", "b"), ("b", "c"), ("c", "d"), ("a", "d"))))

    (line,) = [line for line in drawing.lines if ("a", "d") in line.serves]
    for name in "bc":
        box = drawing.leaves[name]
        across = [point for point in line.points if box.x <= point.x <= box.x + box.width]
        assert across and all(not box.y < point.y < box.y + box.height for point in across)


def test_groups_that_wait_for_each_other_are_drawn_all_the_same():
    leaves = (Leaf("a.x", "a", 90.0, 44.0), Leaf("b.y", "b", 90.0, 44.0), Leaf("a.z", "a", 90.0, 44.0))
    scene = Scene(leaves, (Group("a", None), Group("b", None)), (("a.x", "b.y"), ("b.y", "a.z")))

    assert_lawful(scene, lay_out(scene))


def test_a_ring_is_broken_at_one_edge():
    forward, backward = split_back_edges(["a", "b", "c"], [("a", "b"), ("b", "c"), ("c", "a")])
    assert forward == [("a", "b"), ("b", "c")]
    assert backward == [("c", "a")]


def test_a_chain_of_ten_thousand_does_not_exhaust_the_stack():
    names = [str(n) for n in range(10_000)]
    edges = list(pairwise(names))
    forward, _ = split_back_edges(names, edges)
    assert rank_items(names, forward)["9999"] == 9999


def test_crossing_lines_are_untangled():
    assert order_columns([[0, 1], [2, 3]], [(0, 0.0, 3, 0.0), (1, 0.0, 2, 0.0)]) in ([[1, 0], [2, 3]], [[0, 1], [3, 2]])


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=30))
def test_isotonic_regression_never_falls_and_leaves_sorted_wishes_alone(wishes):
    result = isotonic(wishes, [1.0] * len(wishes))
    assert all(a <= b + 1e-9 for a, b in pairwise(result))
    assert isotonic(sorted(wishes), [1.0] * len(wishes)) == pytest.approx(sorted(wishes))


def test_the_work_grows_about_as_the_graph_does():
    """A star, whose size ruins many layouts: four times the boxes are at most five times the calls."""

    def calls(count: int) -> int:
        leaves = tuple(Leaf(f"t{n}", None, 100.0, 44.0) for n in range(count))
        scene = Scene(leaves, (), tuple(("t0", f"t{n}") for n in range(1, count)))
        made: Counter[str] = Counter()
        before = sys.getprofile()
        sys.setprofile(lambda _frame, kind, _argument: made.update([kind]))
        try:
            lay_out(scene)
        finally:
            sys.setprofile(before)
        return made["call"] + made["c_call"]

    assert calls(2000) <= 5 * calls(500)
