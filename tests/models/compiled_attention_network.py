"""Compares CIU's network compiled with itself: `python -m tests.models.compiled_attention_network [BACKEND]`.

The default backend traces both passes as `inductor` gets them, and is done in seconds. Fails where outputs or gradients
differ. Tests check types inside functions, which can't be compiled, so it needs a process of its own.
"""

import sys

import torch
from torch import Tensor

from facskit.action_units import ActionUnitSet
from facskit.models.attention_network import AttentionConfig, AttentionNetwork
from facskit.models.attention_targets import attention_targets

UNITS = ActionUnitSet.parse("1 12 17")


def gradients(network: AttentionNetwork, images: Tensor, backend: str = "") -> list[Tensor]:
    """Return the outputs of a training step and the gradients of all parameters; no backend: not compiled."""

    def step(images: Tensor, landmarks: Tensor) -> tuple[Tensor, Tensor]:
        look = network.look(images)
        targets = attention_targets(landmarks, UNITS, image_size=32)
        return network.head(look.features), (look.attention - targets).square().mean()

    network.zero_grad()
    landmarks = torch.linspace(0, 31, 2 * 68 * 2).view(2, 68, 2)
    logits, loss = (torch.compile(step, fullgraph=True, backend=backend) if backend else step)(images, landmarks)
    torch.autograd.backward(logits.square().sum() + loss)
    return [logits.detach(), *(value.grad.clone() for value in network.parameters() if value.grad is not None)]


def main() -> None:
    """Compare with the default reading and with most switches turned."""
    backend = sys.argv[1] if len(sys.argv) > 1 else "aot_eager"
    config = AttentionConfig(image_size=32, unit_width=1, branch_widths=(3, 2, 3, 4, 5))
    turned = AttentionConfig(
        image_size=32,
        unit_width=1,
        branch_widths=(3, 2, 3, 4, 5),
        product="after-relu",
        patch_norm="map",
        further=2,
        further_norm=True,
    )
    for shape in (config, turned):
        torch.manual_seed(0)
        network = AttentionNetwork(shape, len(UNITS))
        images = torch.randn(2, 3, 32, 32)
        plain = gradients(network, images)
        torch.testing.assert_close(gradients(network, images, backend), plain, atol=1e-3, rtol=1e-3)
        print("is the same compiled")


if __name__ == "__main__":
    main()
