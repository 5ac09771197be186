"""The small convolutional network that turns a picture into a vector; heads of every kind are put on it."""

import itertools

from torch import Tensor, nn


class ConvEncoder(nn.Module):
    """Images (B, in_channels, H, W) to vectors (B, dim): some blocks, the average over all pixels, a linear map.

    A block is a 3x3 convolution, batch normalisation, ReLU and 2x2 max-pooling (Vinyals et al. 2016, section 4.1; with
    4 blocks of 64 channels, the network of Snell et al. 2017).

    Args:
        in_channels: of the images.
        dim: of the vectors.
        width: channels of every block.
        blocks: each halves the picture, whose sides must be 2^blocks or more.
    """

    def __init__(self, in_channels: int, dim: int, width: int = 64, blocks: int = 4):
        super().__init__()
        if blocks < 1:
            raise ValueError(f"blocks must be 1 or more, got {blocks}")
        channels = [in_channels, *[width] * blocks]
        self.blocks = nn.Sequential(*(self._block(*pair) for pair in itertools.pairwise(channels)))
        self.out = nn.Linear(width, dim)

    @staticmethod
    def _block(inputs: int, outputs: int) -> nn.Sequential:
        convolution = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        # Pooled before the ReLU: the same function, and a quarter of its work.
        return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.MaxPool2d(2), nn.ReLU())

    def features(self, images: Tensor) -> Tensor:
        """What the linear map is given: (B, C, H, W) to (B, width)."""
        smallest = 2 ** len(self.blocks)
        if min(images.shape[-2:]) < smallest:
            raise ValueError(f"images must be at least {smallest} x {smallest}, got {tuple(images.shape[-2:])}")
        return self.blocks(images).mean((-2, -1))

    def forward(self, images: Tensor) -> Tensor:
        return self.out(self.features(images))
