"""A wrong setting stops the start with a sentence that names it."""

from pathlib import Path

import pytest

from shared.kernel.settings import SettingsInvalid, load_settings
from shared.kernel.tier import Tier


@pytest.mark.parametrize(
    ("code", "tier"), [("000000", Tier.HQ), ("440000", Tier.PROVINCE), ("440300", Tier.CITY)]
)
def test_the_code_tells_the_tier(code: str, tier: Tier) -> None:
    assert load_settings(code=code).tier is tier


def test_the_environment_wins_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "node.toml"
    file.write_text('code = "440300"\nport = 8001\nhost = "127.0.0.2"\n')
    monkeypatch.setenv("GUANXI_PORT", "8002")
    settings = load_settings(file)
    assert (settings.port, settings.host) == (8002, "127.0.0.2")


def test_database_url_is_read_from_its_usual_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://somewhere/db")
    assert load_settings(code="440300").database_url == "postgresql://somewhere/db"


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("GUANXI_PORT", "eighty", "Setting `port` 'eighty' is wrong"),
        ("GUANXI_PORT", "70000", "Setting `port` '70000' is wrong"),
        ("GUANXI_CODE", "4403", "Setting `code` '4403' is wrong"),
        ("GUANXI_ROLLUP_TIME", "25:00", "Setting `rollup_time` '25:00' is wrong"),
        ("GUANXI_PROT", "8000", "GUANXI_PROT in the environment names no setting"),
        (
            "DATABASE_URL",
            "mysql://u:secret@host/db",
            "Setting `database_url` is wrong: must begin with postgresql://",
        ),
        ("GUANXI_PARENT_URL", "hq.example", "Setting `parent_url` is wrong"),
    ],
)
def test_a_wrong_variable_is_named(
    name: str, value: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GUANXI_CODE", "440300")
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsInvalid) as refused:
        load_settings()
    assert expected in str(refused.value)
    assert "secret" not in str(refused.value), "an address may hold a password"


def test_a_missing_setting_is_named() -> None:
    with pytest.raises(SettingsInvalid, match="Setting `code` is missing: give it as GUANXI_CODE"):
        load_settings()


def test_an_unknown_line_of_the_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "node.toml"
    file.write_text('code = "440300"\nprot = 1\n')
    with pytest.raises(
        SettingsInvalid, match=r"Setting `prot` is unknown: remove it from .*node\.toml"
    ):
        load_settings(file)


def test_a_file_that_is_not_toml_is_named(tmp_path: Path) -> None:
    file = tmp_path / "node.toml"
    file.write_text("code = \n")
    with pytest.raises(SettingsInvalid, match=r"cannot be read.*node\.toml"):
        load_settings(file)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid, match="There is no settings file"):
        load_settings(tmp_path / "none.toml")


def test_hq_has_no_parent() -> None:
    with pytest.raises(SettingsInvalid, match="parent_url must be empty for HQ"):
        load_settings(code="000000", parent_url="http://127.0.0.1:1")
