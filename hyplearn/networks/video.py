"""A small encoder of clips, for the heads that pictures have too."""

import torch
from torch import Tensor, nn

from hyplearn.networks.encoder import ConvEncoder


class VideoEncoder(nn.Module):
    """Clips (B, T, 3, H, W) of T >= 2 frames to vectors (B, dim).

    A frame and what has changed since the last one are a picture of six channels, which a `ConvEncoder` reads: it sees
    how things move just now. A convolution over time sees how that goes on, and its average over time is the clip's.

    Args:
        dim: of the vectors.
        width: channels of the convolutions over pictures; over time there are twice as many.
        blocks: see `ConvEncoder`; the frames must be 2^blocks pixels wide and high, or more.
    """

    def __init__(self, dim: int, width: int = 16, blocks: int = 3):
        super().__init__()
        self.moment = ConvEncoder(6, 2 * width, width, blocks)
        self.time = nn.Conv1d(2 * width, 2 * width, 3, padding=1)
        self.out = nn.Linear(2 * width, dim)

    def forward(self, clips: Tensor) -> Tensor:
        if clips.dim() != 5 or clips.shape[1] < 2:
            raise ValueError(f"clips must have shape (B, T, 3, H, W) with T >= 2, got {tuple(clips.shape)}")
        now = clips[:, 1:]
        pictures = torch.cat([now, now - clips[:, :-1]], 2)
        moments = self.moment(pictures.flatten(0, 1)).relu().unflatten(0, now.shape[:2])
        return self.out(self.time(moments.mT).relu().mean(2))
