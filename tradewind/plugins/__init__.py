"""What can an installation add to Tradewind? Plugins, listeners and policies: user code, for parse and task processes.

Nothing here is loaded by a scheduler, a supervisor or the web server.
"""
