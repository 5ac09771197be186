"""Few-shot learning: the encoder, prototypes, episodes, Omniglot's archives, and `hyplearn train fewshot`."""

import pytest
import torch
import torch.nn.functional as F

from hyplearn.networks import ConvEncoder

# --- the encoder -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels, dim, width, blocks", [(3, 2, 8, 3), (1, 16, 4, 1)])
def test_the_encoder_is_what_it_says(channels, dim, width, blocks):
    torch.manual_seed(0)
    encoder = ConvEncoder(channels, dim, width, blocks).double().eval()
    images = torch.randn(4, channels, 16, 12, dtype=torch.float64)
    x = images
    for convolution, normalisation, *_ in encoder.blocks:
        normalisation.running_mean.normal_()
        normalisation.running_var.uniform_(0.5, 2)
        x = F.conv2d(x, convolution.weight, padding=1)
        centred = x - normalisation.running_mean[:, None, None]
        x = centred / (normalisation.running_var[:, None, None] + normalisation.eps).sqrt()
        x = torch.stack(
            [x[..., i::2, j::2][..., : x.shape[-2] // 2, : x.shape[-1] // 2] for i in (0, 1) for j in (0, 1)]
        )
        x = x.amax(0).clamp_min(0)
    want = x.flatten(2).mean(2) @ encoder.out.weight.T + encoder.out.bias
    assert want.shape == (4, dim)
    torch.testing.assert_close(encoder(images), want)


def test_the_encoder_refuses_what_it_cannot_halve():
    with pytest.raises(ValueError, match="images must be at least 8 x 8, got \\(8, 7\\)"):
        ConvEncoder(1, 2, 4, 3)(torch.zeros(2, 1, 8, 7))
    with pytest.raises(ValueError, match="blocks must be 1 or more"):
        ConvEncoder(1, 2, blocks=0)
