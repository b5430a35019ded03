"""The settings of the service, from variables."""

from ipaddress import ip_network
from pathlib import Path

import pytest

from serve.settings import SettingError, Settings, read

pytestmark = pytest.mark.core


def test_each_setting_comes_from_its_variable() -> None:
    assert read({}) == Settings()
    settings = read(
        {
            "NUDGE_CHECKPOINTS": "/models",
            "NUDGE_MODEL": "xor",
            "NUDGE_MAX_ROWS": "10",
            "NUDGE_MAX_BODY": "1000",
            "NUDGE_API_KEYS": "a,b",
            "NUDGE_CORS_ORIGINS": "*",
            "NUDGE_TRUSTED_PROXIES": "10.0.0.0/8, ::1",
            "NUDGE_ACCESS_LOG": "1",
            "NUDGE_POLL": "0.1",
            "NUDGE_ALLOWED_VERSIONS": "0123456789AB, " + 64 * "f",
            "NUDGE_RUNTIME": "/run/nudge",
            "NUDGE_LEARN": "1",
            "NUDGE_LEARNING_SOCKET": "/run/nudge/learn.sock",
            "NUDGE_REPLACEMENT": "1",
            "NUDGE_THREADS": "2",
        }
    )
    assert settings == Settings(
        checkpoints=Path("/models"),
        default_model="xor",
        max_rows=10,
        max_body_bytes=1000,
        api_keys=("a", "b"),
        cors_origins=("*",),
        trusted_proxies=(ip_network("10.0.0.0/8"), ip_network("::1/128")),
        has_access_log=True,
        poll_seconds=0.1,
        allowed_versions=("0123456789ab", 64 * "f"),
        shared_directory=Path("/run/nudge"),
        learns=True,
        learning_socket=Path("/run/nudge/learn.sock"),
        is_replacement=True,
    )


def test_an_empty_variable_counts_as_unset() -> None:
    names = ("NUDGE_CHECKPOINTS", "NUDGE_MODEL", "NUDGE_MAX_ROWS", "NUDGE_API_KEYS")
    assert read(dict.fromkeys(names, "")) == Settings()


def test_settings_of_an_application_may_be_numbers_booleans_and_paths() -> None:
    config = {"NUDGE_MAX_ROWS": 10, "NUDGE_ACCESS_LOG": False, "NUDGE_CHECKPOINTS": Path("/models")}
    assert read(config) == Settings(Path("/models"), max_rows=10, has_access_log=False)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAX_ROWS", "0"),
        ("MAX_ROWS", "-1"),
        ("MAX_BODY", "1e3"),
        ("ACCESS_LOG", "yes"),
        ("LEARN", "yes"),
        ("CORS_ORIGINS", "example.org"),
        ("CORS_ORIGINS", "https://a.example/path"),
        ("API_KEYS", "a b"),
        ("API_KEYS", ","),
        ("API_KEYS", " \n"),
        ("CORS_ORIGINS", ","),
        ("TRUSTED_PROXIES", "proxy.example"),
        ("TRUSTED_PROXIES", "10.0.0.1/8"),
        ("TRUSTED_PROXIES", ","),
        ("POLL", "0"),
        ("POLL", "soon"),
        ("ALLOWED_VERSIONS", "1"),
        ("ALLOWED_VERSIONS", "0123456789ag"),
        ("ALLOWED_VERSIONS", "0123456789ab,0123456789"),
    ],
)
def test_a_wrong_value_is_refused_in_one_sentence(name: str, value: str) -> None:
    with pytest.raises(SettingError, match=rf"^NUDGE_{name}: expected .*, found .*; set it so, or leave it out$"):
        read({f"NUDGE_{name}": value})
