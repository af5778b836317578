"""Do messages come out of a socket as they went in, and is nonsense refused?"""

from __future__ import annotations

import os
import socket
from datetime import UTC, datetime
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from executors.runner import protocol
from executors.runner.wire import MAX_FRAME_BYTES, FrameReader, Wire, WireError, frame
from tradewind.model.asset_talk import AssetAnswer, FindAsset
from tradewind.model.orders import AttemptOrder, Outcome, XComValue
from tradewind.sdk.channel import ConnectionData, FoundXCom, PreviousRun
from tradewind.sdk.run_questions import CountTasks, RunAnswer, TaskFacts, Triggered

AT = datetime(2026, 1, 5, 2, 0, 0, 123456, tzinfo=UTC)
ORDER = AttemptOrder(
    UUID(int=7), 1, 2, "d", "r", "t", -1, 1, 3, "f.py", 4, "0" * 64, "manual", AT, conf={"a": [1, None, "ü"]}
)
FROM_TASK = [
    protocol.Hello(1, 2, AT),
    protocol.Rendered({"a": [1, {"b": None}]}),
    protocol.Result(Outcome.FAILED, "E: x", False, (XComValue("k", "1", size_bytes=1),), 5),
    protocol.GetXCom("k", ("a", "b"), None, "r", 3, True),
    protocol.PushXCom(XComValue("k", location="s3://b/k")),
    protocol.GetVariable("v"),
    protocol.SetVariable("v", "x", "why"),
    protocol.DeleteVariable("v"),
    protocol.GetConnection("c"),
    protocol.GetPreviousSuccess(),
    protocol.CountXComs("t", "k"),
    protocol.GetXComRange("t", "k", 3, 9),
    protocol.AskAssets(FindAsset("a")),
    protocol.AskAboutRuns(CountTasks("d", 2, ("a",), "g", (AT,), None, ("null",))),
]
TO_TASK = [
    protocol.Begin(1, ORDER, "/log", "/dags/f.py", "/dags", b"\x00\xff", 30.0),
    protocol.XComs((FoundXCom("t", -1, "r", "1"), FoundXCom("t", 2, "r", None, "s3://b/k"))),
    protocol.Text(None),
    protocol.ConnectionAnswer(ConnectionData("c", "http", port=80)),
    protocol.PreviousAnswer(PreviousRun("r", AT, None, AT, AT)),
    protocol.Count(3),
    protocol.AssetsAnswer(AssetAnswer()),
    protocol.RunsAnswer(RunAnswer(3, Triggered("r", False), tasks=(TaskFacts("d", "t", "r", -1, None, 1, AT),))),
    protocol.Done(False),
    protocol.Refused("no"),
]
TO_KEEPER = [
    protocol.Setup(1, {"retries": 2}),
    protocol.Load("/f.py", b"x = 1", "/dags", 3.0),
    protocol.Spawn(),
    protocol.Run(3),
    protocol.Kill(3, 15),
]
FROM_KEEPER = [
    protocol.Ready(1, 2, "why"),
    protocol.Exited(3, 4, None, 9, 2**33, 0.25),
    protocol.NotForked(3, "no memory"),
]


@pytest.mark.parametrize(
    ("direction", "messages"),
    [
        (protocol.FromTask, FROM_TASK),
        (protocol.ToTask, TO_TASK),
        (protocol.ToKeeper, TO_KEEPER),
        (protocol.FromKeeper, FROM_KEEPER),
    ],
)
def test_every_message_of_a_direction_comes_out_as_it_went_in(direction, messages):
    assert {type(message) for message in messages} == set(direction.__args__)
    reader = FrameReader(msgspec.msgpack.Decoder(direction))

    assert list(reader.feed(b"".join(map(frame, messages)))) == messages


@given(st.lists(st.integers(1, 40), max_size=60))
def test_it_does_not_matter_how_the_bytes_are_cut(cuts):
    reader = FrameReader(msgspec.msgpack.Decoder(protocol.FromTask))
    data = b"".join(map(frame, FROM_TASK))
    out = []
    for cut in cuts:
        out += list(reader.feed(data[:cut]))
        data = data[cut:]

    assert out + list(reader.feed(data)) == FROM_TASK


@pytest.mark.parametrize(
    "data",
    [
        frame(protocol.Run(1)),  # of another direction
        frame({"any": "thing"}),
        b"\x00\x00\x00\x01\xc1",
        (MAX_FRAME_BYTES + 1).to_bytes(4, "big"),
    ],
)
def test_nonsense_is_refused(data):
    reader = FrameReader(msgspec.msgpack.Decoder(protocol.FromTask))

    with pytest.raises(WireError):
        list(reader.feed(data))


def test_descriptors_come_in_the_order_of_their_messages_and_unused_ones_are_closed():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        wire = Wire(theirs, msgspec.msgpack.Decoder(protocol.ToKeeper))
        pipes = [os.pipe() for _ in range(3)]
        for number, (_read, write) in enumerate(pipes):
            socket.send_fds(ours, [frame(protocol.Run(number))], [write])
            os.close(write)
        received: list[protocol.ToKeeper] = []
        while len(received) < 3:
            received += wire.receive_ready() or []
        first = wire.take_fd()
        os.write(first, b"first")
        assert not os.get_inheritable(first)

        wire.close()

        os.close(first)
        assert [os.read(read, 10) for read, _write in pipes] == [b"first", b"", b""]
        for read, _write in pipes:
            os.close(read)


def test_a_message_without_its_descriptor_is_refused():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        with pytest.raises(WireError, match="without one"):
            Wire(theirs, msgspec.msgpack.Decoder(protocol.ToKeeper)).take_fd()
