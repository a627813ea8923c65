"""Small networks, batches and objectives of causal intervention for several tests.

`python -m tests.objectives.small_ciu` compares compiled steps with plain ones, and fails where they differ: tests check
types inside functions, which can't be compiled, so it needs a process of its own.
"""

import sys
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor
from torch._dynamo.utils import counters

from facskit.action_units import BP4D
from facskit.datasets.samples import Batch
from facskit.models.attention_network import AttentionConfig
from facskit.models.build import ModelConfig, build_model
from facskit.models.compact_network import CompactConfig
from facskit.models.layers import FaceNetwork
from facskit.objectives.attention_regression import AttentionRegressionConfig
from facskit.objectives.causal_intervention import CausalIntervention, CausalInterventionConfig, Teachers
from facskit.objectives.identity_adversarial import IdentityAdversarial, IdentityAdversarialConfig
from facskit.objectives.identity_term import IdentityReversalConfig
from facskit.objectives.objective import Objective

COMPACT = CompactConfig(image_size=16, widths=(8, 8), depths=(1, 1), places=2, place_dim=4, dropout=0.0)
ATTENTIVE = AttentionConfig(image_size=16, unit_width=1, branch_widths=(2, 2, 2, 2, 4))
NOWHERE = AttentionRegressionConfig()
PLAIN = CausalInterventionConfig(attention=NOWHERE)
"""The paper's objective without the attention term, so that any network will do."""


def network(config: ModelConfig = COMPACT, seed: int = 0) -> FaceNetwork:
    torch.manual_seed(seed)
    return build_model(config, len(BP4D))


def batch(size: int = 5, seed: int = 3, unknown: bool = True) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    lowest = -1 if unknown else 0
    return Batch(
        images=torch.randn(size, 3, 16, 16, generator=generator),
        labels=torch.randint(lowest, 2, (size, 12), dtype=torch.int8, generator=generator),
        subjects=torch.randint(0, 3, (size,), generator=generator),
        indices=torch.arange(size),
        action_units=BP4D,
        landmarks=16.0 * torch.rand(size, 68, 2, generator=generator),
    )


def intervention(
    config: CausalInterventionConfig = PLAIN, model: ModelConfig = COMPACT, labels: Tensor | None = None
) -> CausalIntervention:
    """An objective whose three networks differ; the logits are spread so that teachers disagree."""
    balanced = spread(network(model, 2)) if config.balanced_teacher == "trained" else None
    teachers = Teachers(imbalanced=spread(network(model, 1)), balanced=balanced)
    return CausalIntervention(network(model), config, teachers, BP4D, labels, subject_counts=[4, 4, 4])


def spread(model: FaceNetwork, deviation: float = 3.0) -> FaceNetwork:
    """Give a network's answers a bias of its own, as a trained one has."""
    bias = model.get_parameter("head.bias")
    with torch.no_grad():
        bias.add_(deviation * torch.randn(bias.shape))
    return model


def _objectives() -> dict[str, Callable[[], Objective[Batch]]]:
    fought = IdentityReversalConfig(strength=1.0)
    attentive = CausalInterventionConfig(identity=fought)
    return {
        "identity-adversarial": lambda: IdentityAdversarial(network(), IdentityAdversarialConfig(), [1, 1, 1]),
        "causal-intervention": lambda: intervention(replace(PLAIN, identity=fought)),
        "attentive": lambda: intervention(attentive, ATTENTIVE),
    }


def _compare(name: str, objective: Objective[Batch]) -> None:
    given = batch()
    results = []
    for step in (objective, torch.compile(objective, backend="aot_eager")):
        objective.zero_grad()
        output = step(given)
        torch.autograd.backward(output.loss)
        gradients = {key: value.grad.clone() for key, value in objective.named_parameters() if value.grad is not None}
        results.append((output.terms, gradients))
    (plain, plain_gradients), (compiled, compiled_gradients) = results
    torch.testing.assert_close(compiled, plain, msg=lambda text: f"{name}: {text}")
    torch.testing.assert_close(compiled_gradients, plain_gradients, msg=lambda text: f"{name}: {text}")


def _graphs(build: Callable[[int], Objective[Batch]], count: int = 10) -> int:
    """Return how many graphs objectives of one process need, as the folds of a cross-validation would."""
    torch._dynamo.reset()
    counters.clear()
    for fold in range(count):
        objective = build(fold)
        objective.compile(backend="eager")
        torch.autograd.backward(objective(batch(seed=fold)).loss)
    return int(counters["stats"]["unique_graphs"])


def _share() -> None:
    """Folds share what was compiled: torch stops compiling a function at its ninth version, without a word."""
    attentive = _graphs(lambda _: intervention(CausalInterventionConfig(), ATTENTIVE))
    reversing = _graphs(lambda fold: IdentityAdversarial(network(), IdentityAdversarialConfig(), [1 + fold, 1, 1]))
    assert attentive == 1, attentive
    assert reversing <= 4, reversing  # two parts, of which one holds what a constant predictor would get
    print("folds share their graphs")


if __name__ == "__main__":
    for title, build in _objectives().items():
        if not sys.argv[1:] or title in sys.argv[1:]:
            _compare(title, build())
            print(title, "is the same compiled")
    if not sys.argv[1:]:
        _share()
