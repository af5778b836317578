"""Are the keys of an installation made once, kept safe, and never made again?"""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from cryptography.fernet import Fernet

from tradewind.config import ensure_secrets, load_config, with_secrets
from tradewind.errors import UsageError


def test_keys_are_made_on_first_use_for_their_owner_only(tmp_path):
    home = tmp_path / "home"

    made = ensure_secrets(home)

    Fernet(made.fernet_key).decrypt(Fernet(made.fernet_key).encrypt(b"x"))
    assert len(made.secret_key) >= 32
    assert made.fernet_key != made.secret_key
    files = sorted(home.iterdir())
    assert [file.name for file in files] == ["fernet.key", "secret.key"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_keys_are_never_made_again(tmp_path):
    first = ensure_secrets(tmp_path)

    again = ensure_secrets(tmp_path)
    config = load_config({}, tmp_path)

    assert again == first
    assert (config.core.fernet_key, config.api.secret_key) == (first.fernet_key, first.secret_key)
    assert config.sources["core", "fernet_key"].kind == "generated"
    assert first.fernet_key not in repr(first)


def test_all_who_ask_at_once_get_the_same_keys(tmp_path):
    at_once = Barrier(8)

    def ask(_: int) -> tuple[str, str]:
        at_once.wait()
        made = ensure_secrets(tmp_path)
        return made.fernet_key, made.secret_key

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(ask, range(8)))) == 1
    assert len(list(tmp_path.iterdir())) == 2


def test_keys_that_are_given_are_not_made(tmp_path):
    key = Fernet.generate_key().decode()
    config = load_config({"TRADEWIND__CORE__FERNET_KEY": key}, tmp_path)

    full = with_secrets(config)

    assert full.core.fernet_key == key
    assert full.api.secret_key
    assert full.texts["api", "secret_key"] == full.api.secret_key
    assert [file.name for file in tmp_path.iterdir()] == ["secret.key"]
    assert full.core.parallelism == config.core.parallelism


def test_the_environment_beats_a_key_file(tmp_path):
    ensure_secrets(tmp_path)
    key = Fernet.generate_key().decode()

    assert load_config({"AIRFLOW__CORE__FERNET_KEY": key}, tmp_path).core.fernet_key == key


def test_several_keys_may_be_given(tmp_path):
    keys = ",".join(Fernet.generate_key().decode() for _ in range(2))

    assert load_config({"TRADEWIND__CORE__FERNET_KEY": keys}, tmp_path).core.fernet_key == keys


def test_an_empty_key_file_is_not_filled_again(tmp_path):
    (tmp_path / "fernet.key").write_text("\n")

    with pytest.raises(UsageError, match=r"fernet\.key is empty\. Restore it from a backup"):
        ensure_secrets(tmp_path)
    with pytest.raises(UsageError, match="is empty"):
        load_config({}, tmp_path)
    assert (tmp_path / "fernet.key").read_text() == "\n"


def test_a_damaged_key_file_is_named(tmp_path):
    (tmp_path / "fernet.key").write_text("not a key\n")

    with pytest.raises(UsageError, match=r"fernet_key is \*\*\* \(from .*fernet\.key\)"):
        load_config({}, tmp_path)
