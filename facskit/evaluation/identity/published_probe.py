"""The identity probe as FMAE-IAT's authors ran it, to read their figure 3 by: a linear layer that learns for a while.

With 880 updates at a rate of 5e-5 it ends far from its optimum, so it measures how easily identity is read off, not
whether it is there; and its best epoch is chosen on the frames it is tested on.
"""

import math

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import nn
from torch.nn import functional

__all__ = ["published_probe"]

_EPOCHS, _WARM_UP, _BATCH = 20, 2, 64
_RATE, _LOWEST_RATE, _DECAY, _SPREAD = 5e-5, 1e-6, 0.05, 2e-5


def published_probe(
    train: Float[np.ndarray, "train dim"],
    test: Float[np.ndarray, "test dim"],
    truth: tuple[Int64[np.ndarray, "train"], Int64[np.ndarray, "test"]],
    seed: int,
) -> tuple[Float[np.ndarray, "test subjects"], int]:
    """Train the published probe; return its scores in the epoch that was best on the test frames, and all updates.

    Args:
        train: Features to learn from, neither centred nor scaled.
        truth: Number of the subject, from 0, of both.
        seed: Seed of the first weights and of the order of the frames.

    Paper:
        FMAE-IAT, figure 3, by its released code: no bias, weights from N(0, 2e-5), binary cross-entropy of the one-hot
        subject, AdamW at 5e-5 with a weight decay of 0.05, batches of 64, 20 epochs of which 2 warm up, the best of
        them printed. There drop path and augmentation are active; here features are in evaluation mode and of plain
        crops.
    """
    generator = torch.Generator().manual_seed(seed)
    inputs, held = (torch.from_numpy(part.astype(np.float32)) for part in (train, test))
    subjects = int(truth[0].max()) + 1
    targets = functional.one_hot(torch.from_numpy(truth[0]), subjects).float()
    weight = nn.Parameter(_SPREAD * torch.randn(subjects, inputs.shape[1], generator=generator))
    optimizer = torch.optim.AdamW([weight], lr=_RATE, weight_decay=_DECAY)
    batch = min(_BATCH, len(inputs))
    steps = len(inputs) // batch
    best, scores = -1.0, np.zeros((len(test), subjects))
    for epoch in range(_EPOCHS):
        order = torch.randperm(len(inputs), generator=generator)
        for step in range(steps):
            rows = order[step * batch : (step + 1) * batch]
            optimizer.param_groups[0]["lr"] = _rate(epoch + step / steps)
            loss = functional.binary_cross_entropy_with_logits(inputs[rows] @ weight.T, targets[rows])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        said = (held @ weight.detach().T).numpy()
        accuracy = float(np.mean(said.argmax(axis=1) == truth[1]))
        if accuracy > best:
            best, scores = accuracy, said.astype(np.float64)
    return scores, _EPOCHS * steps


def _rate(epoch: float) -> float:
    if epoch < _WARM_UP:
        return _RATE * epoch / _WARM_UP
    done = (epoch - _WARM_UP) / (_EPOCHS - _WARM_UP)
    return _LOWEST_RATE + (_RATE - _LOWEST_RATE) * (1 + math.cos(math.pi * done)) / 2
