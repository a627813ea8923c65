import pytest
import torch

from facskit.training.loss_log import LossLog, NonFiniteLossError


def test_sums_all_batches_once() -> None:
    log = LossLog()
    for value in (1.0, 2.0, 4.0):
        log.add({"loss": torch.tensor(value), "part": torch.tensor(value / 2, dtype=torch.bfloat16)})
    assert len(log) == 3
    assert log.read() == {"loss": 7.0, "part": 3.5}
    assert len(log) == 0


def test_names_the_first_batch_that_broke() -> None:
    log = LossLog()
    for value in (1.0, float("inf"), float("nan"), 2.0):
        log.add({"loss": torch.tensor(value)})
    with pytest.raises(NonFiniteLossError, match="^loss = inf$") as caught:
        log.read()
    assert caught.value.batches_ago == 2
