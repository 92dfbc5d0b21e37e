"""What the reader can configure, and what wrong values get."""

from pathlib import Path

import pytest

from llmlab import settings
from llmlab.errors import SettingsError


@pytest.fixture
def env_file(tmp_path: Path) -> Path:
    return tmp_path / ".env"


def test_without_any_setting_no_endpoint_is_used(env_file: Path) -> None:
    found = settings.load({}, env_file)
    assert (found.base_url, found.api_key, found.model, found.uses_endpoint) == (None, None, None, False)
    assert (found.capabilities, found.price_in, found.price_out, found.replay, found.record) == (None,) * 5
    assert (found.strict, found.timeout, found.currency) == (False, 120.0, "USD")
    assert found.threads >= 1
    assert found.cache.name == "llmlab"


def test_the_file_is_read_and_the_environment_goes_first(env_file: Path) -> None:
    env_file.write_text(
        "# my endpoint\nOPENAI_BASE_URL=http://127.0.0.1:1/v1\nLLMLAB_MODEL='from the file'\n", encoding="utf-8"
    )
    found = settings.load({"LLMLAB_MODEL": "from the environment"}, env_file)
    assert found.base_url == "http://127.0.0.1:1/v1"
    assert found.model == "from the environment"
    assert found.uses_endpoint


def test_an_empty_variable_of_the_environment_switches_off_what_the_file_says(env_file: Path) -> None:
    # `llmlab record` relies on it: it sets LLMLAB_REPLAY to nothing, whatever the reader's .env holds.
    env_file.write_text("LLMLAB_REPLAY=recordings\n", encoding="utf-8")
    assert settings.load({"LLMLAB_REPLAY": ""}, env_file).replay is None
    assert settings.load({}, env_file).replay == env_file.parent / "recordings"


def test_the_file_can_be_named_in_the_environment(tmp_path: Path) -> None:
    other = tmp_path / "class.env"
    other.write_text("LLMLAB_MODEL=strong", encoding="utf-8")
    assert settings.load({"LLMLAB_ENV_FILE": str(other)}).model == "strong"


def test_a_file_written_by_a_windows_editor_is_read(env_file: Path) -> None:
    env_file.write_bytes("\ufeffOPENAI_BASE_URL=http://x/v1\r\nLLMLAB_MODEL=m\r\n".encode())
    found = settings.load({}, env_file)
    assert (found.base_url, found.model) == ("http://x/v1", "m")


def test_a_file_that_is_no_utf8_gives_a_sentence(env_file: Path) -> None:
    env_file.write_bytes(b"LLMLAB_MODEL=\xff\xfe\n")
    with pytest.raises(SettingsError, match=r"\.env has to be a text in UTF-8.*save it again"):
        settings.load({}, env_file)


def test_a_key_alone_does_not_mean_an_endpoint(env_file: Path) -> None:
    assert not settings.load({"OPENAI_API_KEY": "a-key-for-another-program"}, env_file).uses_endpoint


@pytest.mark.parametrize("name", ["OPENAI_BASE_URL", "LLMLAB_MODEL"])
def test_an_address_or_a_model_name_means_an_endpoint(name: str, env_file: Path) -> None:
    assert settings.load({name: "x"}, env_file).uses_endpoint


def test_the_key_does_not_stand_in_the_repr(env_file: Path) -> None:
    found = settings.load({"OPENAI_API_KEY": "a-secret-key-123"}, env_file)
    assert found.api_key == "a-secret-key-123"
    assert "a-secret-key-123" not in repr(found)


@pytest.mark.parametrize("name", ["LLMLAB_PRICE_IN", "LLMLAB_PRICE_OUT", "LLMLAB_THREADS", "LLMLAB_TIMEOUT"])
@pytest.mark.parametrize("value", ["two", "-1", "nan", "inf", "1e999", "0x10", "1,5"])
def test_a_bad_number_gives_a_sentence_that_names_it(name: str, value: str, env_file: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        settings.load({name: value}, env_file)
    assert str(caught.value).startswith(f"{name} takes a number")
    assert repr(value) in str(caught.value)
    assert "correct it" in str(caught.value)


@pytest.mark.parametrize("name", ["LLMLAB_THREADS", "LLMLAB_TIMEOUT"])
def test_no_threads_and_no_time_are_refused(name: str, env_file: Path) -> None:
    with pytest.raises(SettingsError, match=name):
        settings.load({name: "0"}, env_file)


def test_good_numbers_are_taken(env_file: Path) -> None:
    found = settings.load(
        {"LLMLAB_PRICE_IN": "0", "LLMLAB_PRICE_OUT": "0.6", "LLMLAB_THREADS": "3", "LLMLAB_TIMEOUT": "7.5"}, env_file
    )
    assert (found.price_in, found.price_out, found.threads, found.timeout) == (0.0, 0.6, 3, 7.5)


def test_capabilities_are_a_list_of_known_names(env_file: Path) -> None:
    assert settings.load({"LLMLAB_CAPABILITIES": " tools, vision ,"}, env_file).capabilities == {"tools", "vision"}
    assert settings.load({"LLMLAB_CAPABILITIES": "none"}, env_file).capabilities == frozenset()


def test_an_unknown_capability_gives_a_sentence_with_the_known_ones(env_file: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        settings.load({"LLMLAB_CAPABILITIES": "tools,sight"}, env_file)
    assert "has sight;" in str(caught.value)
    assert all(name in str(caught.value) for name in (*settings.CAPABILITIES, "none"))


def test_paths_may_begin_with_a_tilde(env_file: Path) -> None:
    found = settings.load({"LLMLAB_GGUF": "~/model.gguf", "LLMLAB_CACHE": "~/c", "LLMLAB_STATE": "~/s"}, env_file)
    assert found.gguf == Path.home() / "model.gguf"
    assert (found.cache, found.state) == (Path.home() / "c", Path.home() / "s")


def test_relative_paths_in_the_file_count_from_its_folder(env_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    env_file.write_text("LLMLAB_REPLAY=class\nLLMLAB_GGUF=../models/m.gguf\nLLMLAB_CACHE=/c\n", encoding="utf-8")
    (env_file.parent / "work").mkdir()
    monkeypatch.chdir(env_file.parent / "work")  # where kernels run
    found = settings.load({}, env_file)
    assert found.replay == env_file.parent / "class"
    assert found.gguf == env_file.parent / "../models/m.gguf"
    assert found.cache == Path("/c")
    assert settings.load({"LLMLAB_REPLAY": "here"}, env_file).replay == Path("here"), "as a shell means it"


def test_strict_is_only_the_digit_one(env_file: Path) -> None:
    assert settings.load({"LLMLAB_STRICT": "1"}, env_file).strict
    assert not settings.load({"LLMLAB_STRICT": "0"}, env_file).strict
