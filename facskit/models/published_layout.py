"""The network in a published FMAE-IAT or MAE file, told from the names and shapes of its parameters alone.

Strict in both directions: every parameter that the network has must be there in its shape, and nothing else, except the
identity heads of adversarial training and the unused 1000-way head of the RAF-DB files, which are named as dropped.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from facskit.errors import CheckpointError
from facskit.models.vision_transformer import SIZES, ViTConfig
from facskit.models.weight_header import some_names

__all__ = ["PublishedLayout", "Shapes", "read_layout"]

Shapes = Mapping[str, tuple[int, ...]]
"""Parameter name -> shape."""

UNUSED_OUTPUTS = 1000
"""Outputs of the head that timm makes when nobody asks for another; it's never trained in these files."""
_MLP_RATIO = 4
_BLOCK = re.compile(r"blocks\.(\d+)\.")
_DECODER_BLOCK = re.compile(r"decoder_blocks\.(\d+)\.")
_AUTOENCODER = ("decoder_", "mask_token")
_IDENTITY = ("ID_head", "ID_head2", "ID_head3")


@dataclass(frozen=True, kw_only=True)
class PublishedLayout:
    """What the parameters of a published file say."""

    kind: Literal["autoencoder", "recognizer"]
    """A pre-trained masked autoencoder, with its decoder or without, or an encoder with a classifier."""
    size: str
    """S, B, L, H, or empty when nobody published such a network."""
    encoder: ViTConfig
    """Shape of the encoder; its number of heads is the named size's, or 1 when the size has no name."""
    decoder_dim: int = 0
    """Width of the decoder; 0 without one."""
    decoder_depth: int = 0
    """Blocks of the decoder."""
    classifier: str = ""
    """Name of the trained head: `head` or `AU_head`; empty for an autoencoder."""
    outputs: int = 0
    """Outputs of the trained head."""
    identities: int = 0
    """Outputs of the identity head; 0 without one."""
    dropped: tuple[str, ...] = ()
    """Parameters that recognition has no use for."""


def read_layout(name: str, shapes: Shapes) -> PublishedLayout:
    """Tell the network from its parameters.

    Args:
        shapes: Every parameter of the file, without the `module.` of distributed training.

    Raises:
        CheckpointError: A parameter is missing, unknown or of another shape, or there is no trained head.
    """
    encoder, size = _encoder(name, shapes)
    if any(key.startswith(_AUTOENCODER) for key in shapes):
        return _autoencoder(name, shapes, encoder, size)
    if "norm.weight" in shapes and not any("head" in key for key in shapes):  # as MAE publishes what ImageNet taught it
        _compare(name, shapes, _body(encoder) | _norm("norm", encoder.dim))
        return PublishedLayout(kind="autoencoder", size=size, encoder=encoder)
    return _recognizer(name, shapes, encoder, size)


def _autoencoder(name: str, shapes: Shapes, encoder: ViTConfig, size: str) -> PublishedLayout:
    (_, _, width) = _shape(name, shapes, "mask_token", 3)
    depth = _depth(name, shapes, _DECODER_BLOCK, "decoder_blocks")
    tokens, values = encoder.grid**2 + 1, 3 * encoder.patch_size**2
    decoder: dict[str, tuple[int, ...]] = {
        "mask_token": (1, 1, width),
        "decoder_pos_embed": (1, tokens, width),
        **_linear("decoder_embed", encoder.dim, width),
        **_norm("decoder_norm", width),
        **_linear("decoder_pred", width, values),
        **_blocks("decoder_blocks", depth, width),
    }
    _compare(name, shapes, _body(encoder) | _norm("norm", encoder.dim) | decoder)
    return PublishedLayout(kind="autoencoder", size=size, encoder=encoder, decoder_dim=width, decoder_depth=depth)


def _recognizer(name: str, shapes: Shapes, encoder: ViTConfig, size: str) -> PublishedLayout:
    classifier = "AU_head" if "AU_head.weight" in shapes else "head"
    if f"{classifier}.weight" not in shapes:
        raise CheckpointError(f"{name} has no trained head: neither head.weight nor AU_head.weight is in it")
    outputs, _ = _shape(name, shapes, f"{classifier}.weight", 2)
    if outputs == UNUSED_OUTPUTS:
        raise CheckpointError(f"{name} has no trained head: {classifier} has the 1000 outputs that timm starts with")
    extra: dict[str, tuple[int, ...]] = {}
    identities, width = 0, encoder.dim
    for head in _IDENTITY:  # a chain of one to three layers from the features to the subjects
        if f"{head}.weight" not in shapes:
            break
        identities, _ = _shape(name, shapes, f"{head}.weight", 2)
        extra |= _linear(head, width, identities)
        width = identities
    if classifier == "AU_head" and "head.weight" in shapes:
        extra |= _linear("head", encoder.dim, UNUSED_OUTPUTS)
    kept = _body(encoder) | _norm("fc_norm", encoder.dim) | _linear(classifier, encoder.dim, outputs)
    _compare(name, shapes, kept | extra)
    return PublishedLayout(
        kind="recognizer",
        size=size,
        encoder=encoder,
        classifier=classifier,
        outputs=outputs,
        identities=identities,
        dropped=tuple(extra),
    )


def _encoder(name: str, shapes: Shapes) -> tuple[ViTConfig, str]:
    _, _, dim = _shape(name, shapes, "cls_token", 3)
    _, tokens, _ = _shape(name, shapes, "pos_embed", 3)
    patch = _shape(name, shapes, "patch_embed.proj.weight", 4)[-1]
    depth = _depth(name, shapes, _BLOCK, "blocks")
    grid = math.isqrt(max(tokens - 1, 0))
    if grid < 1 or grid * grid != tokens - 1:
        raise CheckpointError(f"{name} has {tokens} position embeddings; expected those of a square grid and one more")
    named = {(config.dim, config.depth, config.patch_size): size for size, config in SIZES.items() if size != "tiny"}
    size = named.get((dim, depth, patch), "")
    try:
        heads = SIZES[size].heads if size else 1
        return ViTConfig(image_size=grid * patch, patch_size=patch, dim=dim, depth=depth, heads=heads), size
    except ValueError as error:
        raise CheckpointError(f"{name} holds no network that can be built: {error}") from error


def _depth(name: str, shapes: Shapes, pattern: re.Pattern[str], stem: str) -> int:
    numbers = {int(match[1]) for key in shapes if (match := pattern.match(key))}
    if numbers != set(range(len(numbers))) or not numbers:
        found = ", ".join(map(str, sorted(numbers)[:6])) or "none"
        raise CheckpointError(f"{name} must number its {stem} from 0 without a gap; found {found}")
    return len(numbers)


def _shape(name: str, shapes: Shapes, key: str, ndim: int) -> tuple[int, ...]:
    if key not in shapes:
        raise CheckpointError(f"{name} is no FMAE-IAT network: {key} is missing")
    if len(shapes[key]) != ndim or min(shapes[key]) < 1:
        raise CheckpointError(f"{name} holds {key} in the shape {shapes[key]}; expected {ndim} dimensions")
    return shapes[key]


def _compare(name: str, shapes: Shapes, expected: Shapes) -> None:
    if missing := sorted(expected.keys() - shapes.keys()):
        raise CheckpointError(f"{name} lacks {some_names(missing)}, which an FMAE-IAT network of its kind has")
    if unknown := sorted(shapes.keys() - expected.keys()):
        raise CheckpointError(f"{name} holds {some_names(unknown)}, which an FMAE-IAT network of its kind doesn't have")
    for key, shape in expected.items():
        if shapes[key] != shape:
            raise CheckpointError(f"{name} holds {key} in the shape {shapes[key]}; expected {shape}")


def _body(config: ViTConfig) -> dict[str, tuple[int, ...]]:
    dim, patch = config.dim, config.patch_size
    return {
        "cls_token": (1, 1, dim),
        "pos_embed": (1, config.grid**2 + 1, dim),
        "patch_embed.proj.weight": (dim, 3, patch, patch),
        "patch_embed.proj.bias": (dim,),
        **_blocks("blocks", config.depth, dim),
    }


def _blocks(stem: str, depth: int, dim: int) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    for index in range(depth):
        block = f"{stem}.{index}"
        shapes |= _norm(f"{block}.norm1", dim) | _norm(f"{block}.norm2", dim)
        shapes |= _linear(f"{block}.attn.qkv", dim, 3 * dim) | _linear(f"{block}.attn.proj", dim, dim)
        hidden = _MLP_RATIO * dim
        shapes |= _linear(f"{block}.mlp.fc1", dim, hidden) | _linear(f"{block}.mlp.fc2", hidden, dim)
    return shapes


def _linear(stem: str, inputs: int, outputs: int) -> dict[str, tuple[int, ...]]:
    return {f"{stem}.weight": (outputs, inputs), f"{stem}.bias": (outputs,)}


def _norm(stem: str, dim: int) -> dict[str, tuple[int, ...]]:
    return {f"{stem}.weight": (dim,), f"{stem}.bias": (dim,)}
