"""What is drawn of a DAG: open and closed groups, bundled lines, the neighbourhood of a task, the SVG."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from tests.webui.seed import ETL_GROUPS, ETL_TASKS, nested_tasks
from tradewind.model.spec import DagSpec, GroupSpec, TaskSpec, TimetableSpec
from webui.graph.cache import GraphCache, View, draw
from webui.graph.focus import around
from webui.graph.scene import Groups, make_scene, short_label
from webui.graph.svg import Slot


def dag(tasks, groups=()):
    return DagSpec("d", TimetableSpec("null"), tuple(sorted(tasks, key=lambda task: task.task_id)), tuple(groups))


def fill(slot: Slot) -> str:
    said = {"state": "running", "held": "", "href": "/x", "note": "n", "open": "/open", "close": "/close"}
    return said[slot.kind]


def test_a_closed_group_is_one_box_and_its_inner_edges_are_gone():
    scene = make_scene(dag(ETL_TASKS, ETL_GROUPS), opened=())

    assert "extract" in {leaf.id for leaf in scene.leaves}
    assert ("extract", "clean") in scene.edges
    assert not any(name.startswith("extract.") for edge in scene.edges for name in edge)


def test_a_line_from_every_last_task_of_a_group_is_one_line_from_the_group():
    scene = make_scene(dag(ETL_TASKS, ETL_GROUPS), opened=("extract",))

    assert ("extract", "clean") in scene.edges
    assert ("extract.flights", "archive") in scene.edges
    assert ("extract.flights", "clean") not in scene.edges


def test_two_groups_in_a_row_are_one_line():
    tasks = [TaskSpec(f"a.{n}", group_id="a") for n in range(3)]
    tasks += [TaskSpec(f"b.{n}", upstream=("a.0", "a.1", "a.2"), group_id="b") for n in range(3)]
    scene = make_scene(dag(tasks, [GroupSpec("a"), GroupSpec("b")]), opened=("a", "b"))

    assert scene.edges == (("a", "b"),)


def test_groups_in_groups_are_bundled_at_the_outermost():
    tasks, groups = nested_tasks()
    scene = make_scene(dag(tasks, groups), opened=[group.group_id for group in groups])

    assert {("check_source", "load"), ("load", "transform"), ("quality_gate", "publish")} <= set(scene.edges)
    assert not any(edge[0].startswith("load.") and edge[1].startswith("transform.") for edge in scene.edges)


def test_large_groups_begin_closed_and_small_ones_open():
    groups = [GroupSpec("big"), GroupSpec("small")]
    tasks = [TaskSpec(f"big.{n}", group_id="big") for n in range(300)] + [TaskSpec("small.1", group_id="small")]

    assert Groups(dag(tasks, groups)).by_default() == {"small"}


def test_a_group_inside_a_closed_group_is_not_shown():
    tasks, groups = nested_tasks()
    scene = make_scene(dag(tasks, groups), opened=("load.eu", "transform"))

    assert {group.id for group in scene.groups} == {"transform"}
    assert "load" in {leaf.id for leaf in scene.leaves}


def test_only_the_neighbourhood_of_a_task_is_shown_when_asked():
    spec = dag(ETL_TASKS, ETL_GROUPS)

    near = {"extract.flights", "extract.planes", "extract.weather", "clean", "join"}
    assert around(spec, "clean", 1) == frozenset(near)
    assert "archive" not in (around(spec, "load") or ())
    assert around(spec, "no such task") is None


def test_the_svg_is_well_formed_and_hostile_names_stay_text():
    evil = '<script>alert("1")</script>&\''
    spec = dag([TaskSpec("a", display_name=evil), TaskSpec("b", evil, ("a",))])
    text = draw(spec, View(1)).svg.render(fill)

    root = ET.fromstring(text)
    assert "<script" not in text
    assert {box.get("data-t") for box in root.iter("a")} == {"a", "b"}
    assert "style=" not in text  # the content policy would drop it


def test_states_are_put_into_a_kept_drawing():
    spec = dag(ETL_TASKS, ETL_GROUPS)
    cache = GraphCache()
    loads = []

    def load():
        loads.append(1)
        return spec

    first = cache.get(View(1), load)
    again = cache.get(View(1), load)
    other = cache.get(View(1, opened=frozenset()), load)

    assert first is again and other is not first
    assert len(loads) == 2
    assert 's-running" data-t="clean"' in first.svg.render(fill)
    assert other.svg.members["extract"] == ("extract.flights", "extract.planes", "extract.weather")


def test_long_names_keep_their_beginning_and_end():
    label = short_label("archive_the_whole_day_to_cold_storage_v2")
    assert len(label) == 34 and label.startswith("archive_the") and label.endswith("storage_v2")
