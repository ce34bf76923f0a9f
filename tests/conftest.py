"""What several test files share: tiny random models, made on the spot and never downloaded."""

import os

os.environ["HF_HUB_OFFLINE"] = "1"  # before anything imports huggingface_hub
os.environ["MTBERT_CACHE"] = "off"  # what a test reads is what it tests
# Two threads cost toy models more than they save, and far more where a core is busy.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
import torch
from hypothesis import settings
from support.made_up_study import course, paper_cells, study  # noqa: F401
from support.toy import Toy, assert_refused, command_line

from mtbert.cli import main
from mtbert.model.encoders.bert import BertEncoder
from mtbert.model.encoders.config import EncoderConfig

settings.register_profile("mtbert", deadline=None, derandomize=True, database=None)
settings.load_profile("mtbert")


@pytest.fixture(autouse=True)
def same_threads():
    """A run sets the thread number of the process; the next test starts with the one before."""
    threads = torch.get_num_threads()
    yield
    if torch.get_num_threads() != threads:
        torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def make_bert(tmp_path_factory):
    """A function that makes a random transformers BertModel, in eval mode, and its folder.

    Every parameter is random: with zero biases and unit norms a forgotten one would not show.
    """
    from transformers import BertConfig, BertModel

    def make(seed=0, **changes):
        sizes = {
            "vocab_size": 50,
            "hidden_size": 16,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "intermediate_size": 32,
            "max_position_embeddings": 32,
        }
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            model = BertModel(BertConfig(**(sizes | changes))).eval()
            with torch.no_grad():
                for parameter in model.parameters():
                    parameter.add_(0.1 * torch.randn_like(parameter))
        folder = tmp_path_factory.mktemp("bert")
        model.save_pretrained(folder)
        return model, folder

    return make


@pytest.fixture
def bert_folder(make_bert):
    """The folder of a tiny random BERT, as transformers saves it."""
    return make_bert()[1]


@pytest.fixture
def tiny_config():
    return EncoderConfig(
        vocab_size=50,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=32,
    )


@pytest.fixture
def tiny_encoder(tiny_config):
    """A small encoder of ours with random weights, in eval mode."""
    encoder = BertEncoder(tiny_config)
    generator = torch.Generator().manual_seed(0)
    encoder.initialise(generator)
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return encoder.eval()


@pytest.fixture(scope="session")
def toy(tmp_path_factory):
    """A tiny encoder and data of three tasks; tests leave its files as they are."""
    return Toy(tmp_path_factory.mktemp("toy"))


@pytest.fixture(scope="session")
def finished(toy, tmp_path_factory):
    """The folder of a finished run on all three tasks; tests leave it as it is."""
    output = tmp_path_factory.mktemp("runs") / "finished"
    toy.train(output)
    return output


@pytest.fixture
def refuse(capsys, tmp_path):
    """Assert that a command, called in tmp_path, is refused with this in its message."""
    with command_line(tmp_path):
        yield lambda told, *arguments: assert_refused(capsys, tmp_path, told, *arguments)


@pytest.fixture
def call(capsys):
    """Run a command: exit code, standard output, standard error."""

    def call_main(*arguments):
        code = main([str(argument) for argument in arguments])
        return (code, *capsys.readouterr())

    return call_main
