import pytest
import torch
from safetensors.torch import load_file, save_file

from countenance.errors import ModelError
from countenance.learning.checkpoint import METADATA_KEY, load_network, save_network
from countenance.network.allinone import AllInOneNetwork
from tests.learning.faces import NETWORK


@pytest.fixture
def network():
    torch.manual_seed(3)
    return AllInOneNetwork(NETWORK).to(memory_format=torch.channels_last).eval()


def test_a_network_comes_back_with_its_configuration_and_all_its_outputs(network, tmp_path):
    save_network(network, tmp_path / "student.safetensors")
    again = load_network(tmp_path / "student.safetensors")
    assert again.configuration == NETWORK
    assert not again.training
    images = torch.randn(2, 3, 32, 32)
    for left, right in zip(network(images), again(images), strict=True):
        torch.testing.assert_close(left, right)


def test_equal_weights_give_equal_bytes_and_nothing_lies_beside(network, tmp_path):
    for name in ("a", "b"):
        save_network(network, tmp_path / f"{name}.safetensors")
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    assert len(list(tmp_path.iterdir())) == 2


def rewritten(network, tmp_path, change):
    path = tmp_path / "changed.safetensors"
    save_network(network, path)
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path, metadata={METADATA_KEY: network.configuration.model_dump_json()})
    return path


def test_what_is_missing_unknown_or_misshapen_is_listed(network, tmp_path):
    def change(tensors):
        del tensors["age.bias"]
        tensors["beard.weight"] = torch.zeros(1)
        tensors["smile.bias"] = torch.zeros(2)

    path = rewritten(network, tmp_path, change)
    with pytest.raises(ModelError) as error:
        load_network(path)
    for words in ("lacks age.bias", "has the unknown beard.weight", "has the wrong shape for smile.bias"):
        assert words in str(error.value)


def test_a_file_that_is_not_there_damaged_or_someone_elses_is_refused(network, tmp_path):
    with pytest.raises(ModelError, match="student.safetensors is not there"):
        load_network(tmp_path / "student.safetensors")
    damaged = tmp_path / "damaged.safetensors"
    save_network(network, damaged)
    damaged.write_bytes(damaged.read_bytes()[:-100])
    with pytest.raises(ModelError, match="damaged.safetensors is damaged"):
        load_network(damaged)
    save_file({"x": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(ModelError, match="holds no network configuration"):
        load_network(tmp_path / "other.safetensors")
