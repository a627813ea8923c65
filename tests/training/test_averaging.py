import torch
from torch import nn

from facskit.training.averaging import AveragedWeights


def test_the_average_equals_the_one_written_out() -> None:
    model = nn.Linear(2, 1, bias=False)
    average = AveragedWeights(model, 0.5)
    expected = model.weight.detach().clone()
    for update in range(8):
        with torch.no_grad():
            model.weight += update + 1.0
        average.update()
        decay = min(0.5, (1 + update) / (10 + update))
        expected = decay * expected + (1 - decay) * model.weight.detach()
    assert torch.allclose(average.weights["weight"], expected)


def test_counters_are_copied_and_statistics_averaged() -> None:
    model = nn.BatchNorm1d(2)
    average = AveragedWeights(model, 0.9)
    model(torch.randn(8, 2) + 5)
    average.update()
    assert average.weights["num_batches_tracked"] == 1
    assert torch.allclose(average.weights["running_mean"], 0.9 * model.get_buffer("running_mean"))


def test_in_place_gives_the_weights_back() -> None:
    model = nn.Linear(2, 1)
    average = AveragedWeights(model, 0.9)
    with torch.no_grad():
        model.weight += 1
    trained = model.weight.detach().clone()
    with average.in_place():
        assert torch.equal(model.weight, trained - 1) or torch.allclose(model.weight, trained - 1)
    assert torch.equal(model.weight, trained)
    average.adopt()
    assert torch.equal(model.weight, average.weights["weight"])


def test_state_goes_through_a_dictionary() -> None:
    model = nn.Linear(2, 1)
    average = AveragedWeights(model, 0.9)
    with torch.no_grad():
        model.weight += 1
    average.update()
    other = AveragedWeights(nn.Linear(2, 1), 0.9)
    other.load_state_dict(average.state_dict())
    assert other.updates == 1
    assert torch.equal(other.weights["weight"], average.weights["weight"])
