"""The masked autoencoder that FMAE pre-trains: an encoder of the visible patches, a small decoder of the removed ones.

Parameter names and shapes are those of the published checkpoints, so that either side can read the other's weights.
"""

from dataclasses import dataclass, field, replace
from typing import Literal

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from facskit.models.layers import LAYER_NORM_EPSILON, Block, Network, PatchEmbedding
from facskit.models.positions import sincos_positions
from facskit.models.vision_transformer import SIZES, ViTConfig, encoder_layer

__all__ = ["AutoencoderConfig", "MaskedAutoencoder", "Reconstruction", "patchify", "unpatchify"]


@dataclass(frozen=True, kw_only=True)
class AutoencoderConfig:
    """Shape of a masked autoencoder; the decoder's defaults are the paper's for every size of encoder."""

    kind: Literal["mae"] = "mae"
    encoder: ViTConfig = field(default_factory=lambda: SIZES["L"])
    """Shape of the encoder; `drop_path` becomes 0, since nothing is dropped in pre-training but patches."""
    decoder_dim: int = 512
    """Length of a token in the decoder; 0 without one."""
    decoder_depth: int = 8
    """Number of decoder blocks; 0 for an encoder that was published without its decoder: it can only be built upon."""
    decoder_heads: int = 16
    """Attention heads per decoder block; divides `decoder_dim`; 0 without a decoder."""
    mask_ratio: float = 0.75
    """Share of the patches that the encoder doesn't see."""

    def __post_init__(self) -> None:
        """Refuse numbers out of range, and a decoder of which only a part is there."""
        object.__setattr__(self, "encoder", replace(self.encoder, drop_path=0.0))
        heads = self.decoder_heads
        if not self.decoder_dim == self.decoder_depth == heads == 0:
            for name in ("decoder_dim", "decoder_depth", "decoder_heads"):
                if getattr(self, name) < 1:
                    raise ValueError(f"{name} must be at least 1, or all three 0, got {getattr(self, name)}")
            if self.decoder_dim % heads or self.decoder_dim % 4:
                raise ValueError(
                    f"decoder_dim must be a multiple of 4 and of decoder_heads {heads}, got {self.decoder_dim}"
                )
        if not (0.0 < self.mask_ratio < 1.0 and 0 < self.visible < self.patches):
            raise ValueError(
                f"mask_ratio must leave at least one of {self.patches} patches visible and remove at least one, "
                f"got {self.mask_ratio}"
            )

    @property
    def patches(self) -> int:
        """Patches of an image."""
        return self.encoder.grid**2

    @property
    def visible(self) -> int:
        """Patches of an image that the encoder sees."""
        return int(self.patches * (1.0 - self.mask_ratio))


@dataclass(frozen=True, kw_only=True, eq=False)
class Reconstruction:
    """What a masked autoencoder makes of some images."""

    prediction: Float[Tensor, "batch patches pixels"]
    """Pixels of every patch, in the order of `patchify`; only those of removed patches mean anything."""
    mask: Float[Tensor, "batch patches"]
    """1 for a removed patch, 0 for one that the encoder saw."""


class MaskedAutoencoder(Network):
    """Encodes a random quarter of the patches and predicts the pixels of the others.

    Paper:
        FMAE section 3.1, after MAE: the encoder is a Vision Transformer over the visible patches and a class token; a
        learned mask token stands for each removed patch in the decoder; positions are fixed sine-cosine values.
    """

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        self.config = config
        encoder, dim = config.encoder, config.encoder.dim
        self.dim, self.image_size = dim, encoder.image_size
        self.patch_embed = PatchEmbedding(encoder.patch_size, dim)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dim))
        # Fixed, but parameters: the published files hold them.
        self.pos_embed = nn.Parameter(torch.zeros(1, config.patches + 1, dim), requires_grad=False)
        self.blocks = nn.ModuleList(Block(dim, encoder.heads, encoder.mlp_ratio) for _ in range(encoder.depth))
        self.norm = nn.LayerNorm(dim, eps=LAYER_NORM_EPSILON)
        if config.decoder_depth:
            self._add_decoder(config)
        self._initialise()

    def _add_decoder(self, config: AutoencoderConfig) -> None:
        dim, width, encoder = self.dim, config.decoder_dim, config.encoder
        self.decoder_embed = nn.Linear(dim, width)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, width))
        self.decoder_pos_embed = nn.Parameter(torch.zeros(1, config.patches + 1, width), requires_grad=False)
        self.decoder_blocks = nn.ModuleList(
            Block(width, config.decoder_heads, encoder.mlp_ratio) for _ in range(config.decoder_depth)
        )
        self.decoder_norm = nn.LayerNorm(width, eps=LAYER_NORM_EPSILON)
        self.decoder_pred = nn.Linear(width, 3 * encoder.patch_size**2)

    @torch.no_grad()
    def _initialise(self) -> None:
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.xavier_uniform_(layer.weight)
                nn.init.zeros_(layer.bias)
        nn.init.normal_(self.cls_token, std=0.02)
        grid = self.config.encoder.grid
        self.pos_embed.copy_(sincos_positions(self.dim, grid, class_token=True))
        if self.config.decoder_depth:
            nn.init.normal_(self.mask_token, std=0.02)
            self.decoder_pos_embed.copy_(sincos_positions(self.config.decoder_dim, grid, class_token=True))

    def forward(
        self, images: Float[Tensor, "batch 3 height width"], noise: Float[Tensor, "batch patches"] | None = None
    ) -> Reconstruction:
        """Hide patches and predict them from the others.

        Args:
            images: Normalised crops.
            noise: Numbers whose order decides which patches stay: the smallest do. Drawn uniformly if left out.

        Raises:
            ValueError: The crops aren't of the size the network was built for, or it has no decoder.
        """
        if not self.config.decoder_depth:
            raise ValueError("this autoencoder was published without its decoder, so it can't predict patches")
        self.check_size(images)
        everywhere = torch.ones(images.shape[0], self.config.patches, device=images.device)
        if noise is None:
            noise = torch.rand_like(everywhere)
        visible = noise.argsort(dim=1)[:, : self.config.visible]
        prediction = self._decode(self.encode(images, visible), visible)
        return Reconstruction(prediction=prediction, mask=everywhere.scatter(1, visible, 0.0))

    def encode(
        self, images: Float[Tensor, "batch 3 height width"], visible: Int64[Tensor, "batch visible"]
    ) -> Float[Tensor, "batch visible_and_class dim"]:
        """Return the normalised tokens, class token first, of the visible patches, whose numbers count row by row."""
        return self._transform(self.patch_embed.visible(images, visible) + self.pos_embed[0, 1:][visible])

    def features(self, images: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch dim"]:
        """Describe each crop by the mean of its normalised patch tokens, with nothing hidden."""
        self.check_size(images)
        tokens: Tensor = self._transform(self.patch_embed(images) + self.pos_embed[:, 1:])
        return tokens[:, 1:].mean(dim=1)

    def layer_ids(self) -> dict[str, int]:
        """Number the layers as the fine-tuned encoder does; the whole decoder is the top layer."""
        return {name: encoder_layer(name, self.config.encoder.depth) for name, _ in self.named_parameters()}

    def flops_per_image(self) -> int:
        """Return the floating-point operations of one image's training step: the matrix products alone.

        The encoder counts its visible tokens, the decoder all. The backward pass counts twice the forward pass, but
        nobody needs the gradient of the pixels.
        """
        config = self.config
        projection = 2 * config.visible * self.patch_embed.proj.weight.numel()
        bridge = 2 * (config.visible + 1) * self.decoder_embed.weight.numel()
        answer = 2 * config.patches * self.decoder_pred.weight.numel()
        encoder = sum(block.flops(config.visible + 1) for block in self.blocks if isinstance(block, Block))
        decoder = sum(block.flops(config.patches + 1) for block in self.decoder_blocks if isinstance(block, Block))
        return 2 * projection + 3 * (encoder + bridge + decoder + answer)

    def _transform(self, tokens: Tensor) -> Tensor:
        first = self.cls_token + self.pos_embed[:, :1]
        tokens = torch.cat([first.expand(tokens.shape[0], -1, -1), tokens], dim=1)
        for block in self.blocks:
            tokens = block(tokens)
        normalised: Tensor = self.norm(tokens)
        return normalised

    def _decode(self, latent: Tensor, visible: Tensor) -> Tensor:
        known: Tensor = self.decoder_embed(latent)
        hidden = self.mask_token.to(known.dtype).expand(known.shape[0], self.config.patches, -1)
        # Scattering into mask tokens has a gradient without atomic additions, unlike gathering from a joined list.
        places = visible.unsqueeze(2).expand(-1, -1, known.shape[2])
        patches = hidden.scatter(1, places, known[:, 1:])
        tokens = torch.cat([known[:, :1], patches], dim=1) + self.decoder_pos_embed
        for block in self.decoder_blocks:
            tokens = block(tokens)
        prediction: Tensor = self.decoder_pred(self.decoder_norm(tokens[:, 1:]))
        return prediction


def patchify(images: Float[Tensor, "batch 3 height width"], patch_size: int) -> Float[Tensor, "batch patches pixels"]:
    """Cut images into square patches of `patch_size` pixels.

    Returns:
        The patches row by row; inside a patch, pixels row by row, the three colours of a pixel side by side.

    Raises:
        ValueError: A side is no multiple of the patch size.
    """
    batch, colours, height, width = images.shape
    if height % patch_size or width % patch_size:
        raise ValueError(f"images must have sides that are multiples of {patch_size} px, got {width} x {height} px")
    cut = images.view(batch, colours, height // patch_size, patch_size, width // patch_size, patch_size)
    return cut.permute(0, 2, 4, 3, 5, 1).flatten(3).flatten(1, 2)


def unpatchify(
    patches: Float[Tensor, "batch patches pixels"], patch_size: int
) -> Float[Tensor, "batch 3 height width"]:
    """Put the patches of square images together again; the inverse of `patchify`.

    Raises:
        ValueError: The patches don't fill a square, or don't have three colours of `patch_size` x `patch_size` pixels.
    """
    grid = round(patches.shape[1] ** 0.5)
    if grid * grid != patches.shape[1] or patches.shape[2] != 3 * patch_size**2:
        found = " x ".join(str(length) for length in patches.shape[1:])
        raise ValueError(f"patches must be a square number of {3 * patch_size**2} values each, got {found}")
    cut = patches.view(patches.shape[0], grid, grid, patch_size, patch_size, 3)
    return cut.permute(0, 5, 1, 3, 2, 4).flatten(4).flatten(2, 3)
