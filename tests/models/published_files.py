"""Files with exactly the structure of those that the authors of FMAE-IAT released, and hostile ones beside them.

Keys and shapes are written down from the description of the published files, not taken from facskit's networks.
"""

import argparse
import os
from collections import OrderedDict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

Shapes = dict[str, tuple[int, ...]]
SIZES = {"S": (384, 12, 16), "B": (768, 12, 16), "L": (1024, 24, 16), "H": (1280, 32, 14)}
"""Width, depth and patch size of the published networks."""
SMALL = (64, 2, 16)
"""A network that nobody published, for quick tests; two heads."""


def linear(stem: str, inputs: int, outputs: int) -> Shapes:
    return {f"{stem}.weight": (outputs, inputs), f"{stem}.bias": (outputs,)}


def norm(stem: str, dim: int) -> Shapes:
    return {f"{stem}.weight": (dim,), f"{stem}.bias": (dim,)}


def blocks(stem: str, dim: int, depth: int) -> Shapes:
    shapes: Shapes = {}
    for index in range(depth):
        name = f"{stem}.{index}"
        shapes |= norm(f"{name}.norm1", dim) | linear(f"{name}.attn.qkv", dim, 3 * dim)
        shapes |= linear(f"{name}.attn.proj", dim, dim) | norm(f"{name}.norm2", dim)
        shapes |= linear(f"{name}.mlp.fc1", dim, 4 * dim) | linear(f"{name}.mlp.fc2", 4 * dim, dim)
    return shapes


def body(size: tuple[int, int, int], image_size: int) -> Shapes:
    dim, depth, patch = size
    tokens = (image_size // patch) ** 2 + 1
    embedding: Shapes = {
        "cls_token": (1, 1, dim),
        "pos_embed": (1, tokens, dim),
        "patch_embed.proj.weight": (dim, 3, patch, patch),
        "patch_embed.proj.bias": (dim,),
    }
    return embedding | blocks("blocks", dim, depth)


def autoencoder(size: tuple[int, int, int] = SMALL, image_size: int = 32, decoder: tuple[int, int] = (32, 1)) -> Shapes:
    """Parameters of a pre-training file; the published decoders are 512 wide and 8 deep."""
    dim, _, patch = size
    width, depth = decoder
    tokens = (image_size // patch) ** 2 + 1
    shapes = body(size, image_size) | norm("norm", dim) | linear("decoder_embed", dim, width)
    shapes |= {"mask_token": (1, 1, width), "decoder_pos_embed": (1, tokens, width)}
    shapes |= blocks("decoder_blocks", width, depth) | norm("decoder_norm", width)
    return shapes | linear("decoder_pred", width, 3 * patch * patch)


def encoder(size: tuple[int, int, int] = SMALL, image_size: int = 32) -> Shapes:
    """Parameters of the file that MAE publishes of a pre-training on ImageNet: no decoder, no head."""
    return body(size, image_size) | norm("norm", size[0])


def fine_tuned(
    outputs: int = 12,
    identities: int = 0,
    size: tuple[int, int, int] = SMALL,
    image_size: int = 32,
    head: str = "head",
) -> Shapes:
    """Parameters of a fine-tuned file."""
    dim = size[0]
    shapes = body(size, image_size) | norm("fc_norm", dim) | linear(head, dim, outputs)
    return shapes | (linear("ID_head", dim, identities) if identities else {})


def raf_db(size: tuple[int, int, int] = SMALL) -> Shapes:
    """Parameters of the RAF-DB file, with the head that timm makes and nobody trains."""
    return fine_tuned(7, size=size, head="AU_head") | linear("head", size[0], 1000)


def state(shapes: Shapes, seed: int = 0) -> "OrderedDict[str, Tensor]":
    """Fill shapes with random numbers."""
    generator = torch.Generator().manual_seed(seed)
    return OrderedDict((name, torch.randn(shape, generator=generator) * 0.05) for name, shape in shapes.items())


def checkpoint(parameters: "dict[str, Tensor]", **arguments: object) -> dict[str, Any]:
    """Wrap parameters as the published training code does, optimiser and command line included."""
    namespace = argparse.Namespace(
        blr=5e-4,
        epochs=30,
        model="vit_large_patch16",
        output_dir=Path("/home/somebody/out"),
        device="cuda",
        **arguments,
    )
    group = {"lr": 1e-4, "betas": (0.9, 0.999), "weight_decay": 0.05, "lr_scale": 0.65, "params": [0]}
    moments = {0: {"step": torch.tensor(3.0), "exp_avg": torch.zeros(4)}}
    return {
        "model": parameters,
        "optimizer": {"state": moments, "param_groups": [group]},
        "epoch": 20,
        "scaler": {"scale": 65536.0, "growth_factor": 2.0, "_growth_tracker": 3},
        "args": namespace,
    }


def write(path: Path, shapes: Shapes, **arguments: object) -> Path:
    """Save a published file made of random numbers."""
    torch.save(checkpoint(state(shapes), **arguments), path)
    return path


class Runs:
    """A pickle that runs a shell command when it's opened."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.marker}",)


class Evaluates:
    """A pickle that evaluates Python when it's opened."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return eval, (f"open({str(self.marker)!r}, 'w')",)
