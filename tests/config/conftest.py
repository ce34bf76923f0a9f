import pytest

from mtbert.config.load import load_config
from mtbert.errors import UserError


@pytest.fixture(autouse=True)
def no_data_folder_from_outside(monkeypatch):
    monkeypatch.delenv("MTBERT_DATA", raising=False)


@pytest.fixture
def load(tmp_path):
    """Load a text (or bytes) as configuration file."""

    def load_text(content, *overrides):
        file = tmp_path / "run.yaml"
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return load_config(str(file), overrides)

    return load_text


@pytest.fixture
def refuse(load):
    """The message with which a configuration is refused."""

    def message(content, *overrides):
        with pytest.raises(UserError) as error:
            load(content, *overrides)
        return str(error.value)

    return message
