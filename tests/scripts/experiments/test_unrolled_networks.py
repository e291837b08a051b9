import pytest

from experiments.presets.xpdnet import EQUAL, NETWORKS, PRESETS, UNROLLED
from experiments.unrolled_networks import (
    check_parameters,
    count_parameters,
    make_network,
    parameters_of_unet,
)

CPU = PRESETS["cpu"]


def _parameters(name, iterations, size=(16, 16)):
    network = make_network(name, iterations, CPU, size)
    if name != "unet":
        network([_zeros(1, *size, 2), _zeros(*size, 1)])
    return count_parameters(network)


def _zeros(*shape):
    import keras

    return keras.ops.zeros((1, *shape))


@pytest.mark.parametrize("name", UNROLLED)
def test_the_sizes_of_the_preset_have_equal_parameters(name):
    # A command checks the other numbers of iterations before it trains.
    count = _parameters(name, 5)
    check_parameters(name, count, CPU)
    expected = parameters_of_unet(CPU["filters"], CPU["depth"])
    assert count == pytest.approx(expected, rel=0.1)


def test_the_parameters_of_the_unet_do_not_depend_on_the_size():
    expected = parameters_of_unet(CPU["filters"], CPU["depth"])
    assert _parameters("unet", 0, (20, 24)) == expected


def test_a_network_of_another_size_is_refused():
    expected = parameters_of_unet(9, 3)
    settings = {"sizes": EQUAL, "filters": 9, "depth": 3}
    check_parameters("MoDL", int(1.09 * expected), settings)
    for share in 0.89, 1.11:
        with pytest.raises(ValueError, match="MoDL as many parameters"):
            check_parameters("MoDL", int(share * expected), settings)
    check_parameters("MoDL", 1, {**settings, "sizes": None})


@pytest.mark.parametrize("name", NETWORKS[1:])
def test_without_sizes_the_networks_are_those_of_the_papers(name):
    network = make_network(name, 2, {**CPU, "sizes": None}, (16, 16))
    assert network.iterations == 2 and network.network is None
