"""What the reader can configure, and what wrong values get."""

from pathlib import Path

import pytest

from llmlab import settings
from llmlab.errors import SettingsError


@pytest.fixture
def env_file(tmp_path: Path) -> Path:
    return tmp_path / ".env"


def test_the_file_is_read_and_the_environment_goes_first(env_file: Path) -> None:
    nothing = settings.load({}, env_file)
    assert (nothing, nothing.uses_endpoint, nothing.cache.name) == (settings.Settings(), False, "llmlab")
    env_file.write_bytes(
        "\ufeff# mine\r\nOPENAI_BASE_URL=http://x/v1\r\nLLMLAB_MODEL='ä'\r\nLLMLAB_REPLAY=r\r\n".encode()
    )
    found = settings.load({"LLMLAB_MODEL": "mine", "LLMLAB_REPLAY": ""}, env_file)
    assert (found.base_url, found.model) == ("http://x/v1", "mine")
    assert found.replay is None, "an empty variable switches off what the file says; `llmlab record` relies on it"
    assert settings.load({"LLMLAB_ENV_FILE": str(env_file)}).model == "ä"
    env_file.write_bytes(b"LLMLAB_MODEL=m\nLLMLAB_CURRENCY=\xff\n")  # no UTF-8
    assert settings.load({}, env_file).model == "m"


def test_a_key_alone_does_not_mean_an_endpoint_and_is_not_shown(env_file: Path) -> None:
    found = settings.load({"OPENAI_API_KEY": "a-key-for-another-program"}, env_file)
    assert (found.uses_endpoint, found.api_key) == (False, "a-key-for-another-program")
    assert found.api_key not in repr(found)
    assert settings.load({"OPENAI_BASE_URL": "x"}, env_file).uses_endpoint
    assert settings.load({"LLMLAB_MODEL": "x"}, env_file).uses_endpoint


BAD = {
    "LLMLAB_PRICE_IN": ["two", "-1", "nan", "inf", "1,5"],
    "LLMLAB_PRICE_OUT": ["free"],
    "LLMLAB_THREADS": ["0", "many"],
    "LLMLAB_TIMEOUT": ["0"],
    "LLMLAB_CAPABILITIES": ["tools,sight"],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in BAD.items() for value in values])
def test_a_wrong_value_gives_a_sentence_that_names_it_and_what_is_allowed(
    name: str, value: str, env_file: Path
) -> None:
    with pytest.raises(SettingsError) as caught:
        settings.load({name: value}, env_file)
    assert str(caught.value).startswith(f"{name} takes ")
    assert repr(value) in str(caught.value)
    allowed = (*settings.CAPABILITIES, "none") if "CAPABILITIES" in name else ("a number from",)
    assert all(each in str(caught.value) for each in allowed)


@pytest.mark.parametrize(
    ("name", "given", "read"),
    [
        ("price_in", "0", 0.0),
        ("price_out", "0.6", 0.6),
        ("threads", "3", 3),
        ("timeout", "7.5", 7.5),
        ("strict", "1", True),
        ("strict", "0", False),
        ("capabilities", " tools, vision ,", {"tools", "vision"}),
        ("capabilities", "none", frozenset()),
        ("gguf", "~/m.gguf", Path.home() / "m.gguf"),
        ("adapter", "0", False),
    ],
)
def test_a_good_value_is_taken(name: str, given: str, read: object, env_file: Path) -> None:
    assert getattr(settings.load({f"LLMLAB_{name.upper()}": given}, env_file), name) == read


def test_relative_paths_in_the_file_count_from_its_folder(env_file: Path) -> None:
    env_file.write_text("LLMLAB_REPLAY=class\nLLMLAB_CACHE=/c\nLLMLAB_STATE=~/s\n", encoding="utf-8")
    found = settings.load({}, env_file)
    assert (found.replay, found.cache, found.state) == (env_file.parent / "class", Path("/c"), Path.home() / "s")
    assert settings.load({"LLMLAB_REPLAY": "here"}, env_file).replay == Path("here"), "as a shell means it"
