"""Does a cluster keep its promises while everything under it is killed, stopped, cut off and restarted?

``ground`` is the cluster, ``workload`` what runs on it, ``outside`` the table in which tasks leave what they did,
``faults`` what happens to it, ``evidence`` what is known afterwards, ``laws`` what must be true of that. A short
story is part of ``make test``; ``python -m tests.chaos`` tells the long ones and writes ``docs/reliability.md``.
"""
