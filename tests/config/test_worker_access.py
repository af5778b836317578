"""Which addresses of a control plane and which tokens are taken?"""

from __future__ import annotations

import pytest

from tradewind.config import load_config
from tradewind.config.worker_access import control_plane_address, worker_tokens
from tradewind.errors import UsageError

TOKEN = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("", ""),
        ("https://h", "https://h"),
        ("https://h/", "https://h"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("https://[::1]:8080/below/", "https://[::1]:8080/below"),
        ("http://api:8080/execution/", "http://api:8080"),
        ("https://h/below/execution", "https://h/below"),
    ],
)
def test_an_address_is_taken_without_what_is_added_to_it(given, address):
    assert control_plane_address(given) == address


@pytest.mark.parametrize(
    "given",
    [
        "h:8080",
        "ftp://h",
        "https://",
        "https://h:x",
        "https://h:99999",
        "https://u:p@h",
        "https://h?a=1",
        "https://h#a",
    ],
)
def test_what_is_no_address_of_a_web_server_is_refused(given):
    with pytest.raises(ValueError, match="address of a web server"):
        control_plane_address(given)


def test_tokens_are_long_and_fit_into_a_header():
    assert worker_tokens("") == ()
    assert worker_tokens(f" {TOKEN} , {TOKEN}x,") == (TOKEN, f"{TOKEN}x")
    for wrong in ("short", TOKEN[:-1], f"{TOKEN} x", f'"{TOKEN}"', f"{TOKEN}ü", f"{TOKEN},short"):
        with pytest.raises(ValueError, match="at least 32 letters"):
            worker_tokens(wrong)


def test_a_wrong_token_is_not_shown(tmp_path):
    with pytest.raises(UsageError, match=r"\[workers\] token is \*\*\*.*celery token") as caught:
        load_config({"TRADEWIND__WORKERS__TOKEN": "hunter2"}, tmp_path)

    assert "hunter2" not in str(caught.value)


def test_the_address_that_airflow_gives_its_workers_is_none_of_ours(tmp_path):
    (tmp_path / "airflow.cfg").write_text("[core]\nexecution_api_server_url = http://api:8080/execution/\n")

    config = load_config({}, tmp_path)

    assert config.workers.control_plane == ""
    assert any("[workers] control_plane" in warning for warning in config.warnings)
