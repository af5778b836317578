"""How is an attempt run on this machine? Supervisor, base process, warm processes, task processes, and their protocol.

::

    host process (scheduler or worker; no user code)
      Supervisor thread --control--> base process --fork--> warm process, one per DAG file and version
                        --control------------------------->   | fork
                        <--task channel------------------> task process, one per attempt

See ``docs/decisions`` for why there are three levels.
"""
