"""The web application of the tests of ``webui``, for the paths and pages about assets."""

from tests.webui.conftest import app, call, client, config, log_in

__all__ = ["app", "call", "client", "config", "log_in"]
