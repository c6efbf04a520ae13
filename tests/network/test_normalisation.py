import torch

from countenance.network.allinone import AllInOneNetwork
from countenance.network.configuration import NetworkConfiguration
from countenance.network.normalisation import settle_normalisation

SMALL = NetworkConfiguration(trunk="mobilefacenet", input_size=32, width_multiplier=0.125, embedding_dimension=8)


def embed(network, images):
    with torch.no_grad():
        return network.identity(network.trunk(images).final)


def without_statistics(configuration):
    """A network whose normalisations have gains, shifts and the statistics 0 and 1, as from a folded graph."""
    torch.manual_seed(0)
    network = AllInOneNetwork(configuration).eval()
    for module in network.modules():
        if isinstance(module, (torch.nn.BatchNorm1d, torch.nn.BatchNorm2d)) and module.weight.requires_grad:
            module.weight.data.uniform_(0.5, 1.5)
            module.bias.data.normal_()
    return network


def test_the_output_stays_and_training_starts_from_it():
    network, images = without_statistics(SMALL), torch.randn(24, 3, 32, 32)
    before = embed(network, images)
    assert (embed(network.train(), images) - before).abs().max() > 0.5
    network = without_statistics(SMALL)
    settle_normalisation(network, [images[:16], images[16:]])
    torch.testing.assert_close(embed(network, images), before, atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(embed(network.train(), images), before, atol=1e-3, rtol=1e-2)


def test_the_statistics_are_those_of_all_batches_together():
    network, images = without_statistics(SMALL), torch.randn(6, 3, 32, 32)
    raw = network.trunk.stem[0](images)
    settle_normalisation(network, [images[:1], images[1:]])
    torch.testing.assert_close(network.trunk.stem[1].running_mean, raw.mean(dim=(0, 2, 3)))
    torch.testing.assert_close(network.trunk.stem[1].running_var, raw.var(dim=(0, 2, 3), correction=0))


def test_a_channel_that_never_changes_stays_what_it_was():
    network, images = without_statistics(SMALL), torch.randn(4, 3, 32, 32)
    network.trunk.stem[0].weight.data[2] = 0.0
    before = embed(network, images)
    settle_normalisation(network, [images])
    torch.testing.assert_close(embed(network, images), before, atol=1e-4, rtol=1e-3)
    assert all(bool(torch.isfinite(tensor).all()) for tensor in network.state_dict().values())


def test_a_frozen_gain_stays_one_and_the_output_stays_too():
    configuration = NetworkConfiguration(trunk="iresnet18", input_size=32, embedding_dimension=8)
    network, images = without_statistics(configuration), torch.randn(4, 3, 32, 32)
    before = embed(network, images)
    settle_normalisation(network.train(), [images])
    assert torch.equal(network.identity.features.weight, torch.ones(8))
    assert network.training
    torch.testing.assert_close(embed(network.eval(), images), before, atol=1e-3, rtol=1e-3)
