"""Few-shot learning as data: episodes drawn from many classes, splits into disjoint classes, and corrupted pictures."""

import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import Dataset


class Episodes(Dataset):
    """Small classification tasks of some random classes each (Vinyals et al. 2016).

    Item i is the pair of the pictures (ways, shots + queries, C, H, W), one class a row, its labelled examples (the
    support set) first, and the targets (ways * queries,) int64 of the queries, row by row. It depends on `seed` and i
    only.

    Args:
        images: (N, C, H, W).
        labels: (N,) integers.
        ways: classes per episode.
        shots: labelled examples of each class.
        queries: examples of each class that are to be classified.
        count: how many episodes.
        mixed: the share of the queries that are the mean of a picture of their class and one of another class.

    Raises:
        ValueError: if there are fewer classes than `ways`, or fewer pictures of a class than shots + queries.
    """

    def __init__(
        self,
        images: Tensor,
        labels: Tensor,
        ways: int = 5,
        shots: int = 1,
        queries: int = 15,
        count: int = 1000,
        seed: int = 0,
        mixed: float = 0.0,
    ):
        for name, number in (("ways", ways - 1), ("shots", shots), ("queries", queries), ("count", count)):
            if number < 1:
                raise ValueError(f"{name} must be {'2' if name == 'ways' else '1'} or more")
        self.images, self.labels = images, labels
        self.ways, self.shots, self.queries, self.mixed = ways, shots, queries, mixed
        self.count, self.seed = count, seed
        self.classes = [(labels == label).nonzero().squeeze(1) for label in labels.unique()]
        if len(self.classes) < ways:
            raise ValueError(f"ways must be at most {len(self.classes)}, the number of classes, got {ways}")
        fewest = min(map(len, self.classes))
        if fewest < shots + queries:
            raise ValueError(f"shots + queries is {shots + queries}, but a class has only {fewest} pictures")

    def __len__(self) -> int:
        return self.count

    def rows(self, i: int) -> Tensor:
        """(ways, shots + queries) int64: which pictures episode i shows."""
        if not 0 <= i < self.count:
            raise IndexError(f"there are {self.count} episodes, got {i}")
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + i)

        def pick(number, count):
            return torch.randperm(number, generator=generator)[:count]

        chosen = (self.classes[k] for k in pick(len(self.classes), self.ways))
        return torch.stack([members[pick(len(members), self.shots + self.queries)] for members in chosen])

    def targets(self) -> Tensor:
        """(ways * queries,) int64, the same for every episode."""
        return torch.arange(self.ways).repeat_interleave(self.queries)

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
        shown = self.images[self.rows(i)]
        if self.mixed > 0:
            generator = torch.Generator().manual_seed(-1 - self.seed * 1_000_003 - i)
            chosen = torch.rand(shown.shape[:2], generator=generator) < self.mixed
            chosen[:, : self.shots] = False
            shown[chosen] = (shown + shown.roll(1, 0))[chosen] / 2
        return shown, self.targets()


def split_groups(groups: Sequence, fold: int, folds: int = 5) -> tuple[list, list, list]:
    """Deals groups of classes (or single classes) to (train, validation, test): no group is in two of them.

    Every `folds`-th group, from number `fold` on, is for testing, the ones after them are for validation, and the rest
    for training; so neighbours in a sorted list land in different parts.

    Raises:
        ValueError: if fold is not one of 0, ..., folds - 1, or there are fewer groups than folds.
    """
    if not 0 <= fold < folds:
        raise ValueError(f"fold must be one of 0 to {folds - 1}, got {fold}")
    if len(groups) < folds:
        raise ValueError(f"groups must be {folds} or more, got {len(groups)}")
    parts = ([], [], [])
    for k, group in enumerate(groups):
        parts[{fold: 2, (fold + 1) % folds: 1}.get(k % folds, 0)].append(group)
    return parts


def rotated_classes(images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Four times as many classes: the pictures turned by 0, 90, 180 and 270 degrees (Santoro et al. 2016)."""
    count = int(labels.max()) + 1
    turned = [torch.rot90(images, k, (-2, -1)) for k in range(4)]
    return torch.cat(turned), torch.cat([labels + k * count for k in range(4)])


# --- pictures that are harder to tell, all of values from 0 to 1 ------------------------------------------------------


def noise(images: Tensor, generator: torch.Generator) -> Tensor:
    """Independent normal noise of deviation 0.3 on every pixel."""
    return (images + 0.3 * torch.randn(images.shape, generator=generator).to(images)).clamp(0, 1)


def blur(images: Tensor, generator: torch.Generator) -> Tensor:
    """A Gaussian filter whose deviation is a twelfth of the width."""
    size = images.shape[-1]
    reach = math.ceil(size / 4)
    offsets = torch.arange(-reach, reach + 1, dtype=images.dtype, device=images.device)
    weights = torch.softmax(-0.5 * (offsets * 12 / size) ** 2, 0)
    channels = images.flatten(0, 1)[:, None]
    for kernel in (weights[None, :], weights[:, None]):
        pad = [r // 2 for r in (kernel.shape[1], kernel.shape[1], kernel.shape[0], kernel.shape[0])]
        channels = F.conv2d(F.pad(channels, pad, mode="replicate"), kernel[None, None])
    return channels.view_as(images)


def occlusion(images: Tensor, generator: torch.Generator) -> Tensor:
    """A square of 0.6 times the width, at a random place, has the mean colour of the picture."""
    height, width = images.shape[-2:]
    side = round(0.6 * width)
    left = torch.randint(width - side + 1, (len(images), 1, 1, 1), generator=generator).to(images.device)
    top = torch.randint(height - side + 1, (len(images), 1, 1, 1), generator=generator).to(images.device)
    x = torch.arange(width, device=images.device)
    y = torch.arange(height, device=images.device)[:, None]
    inside = (x >= left) & (x < left + side) & (y >= top) & (y < top + side)
    return torch.where(inside, images.mean((-2, -1), keepdim=True), images)


def mixed(images: Tensor, generator: torch.Generator) -> Tensor:
    """The mean with the picture half a set further on: of another class, where the pictures of a class lie together."""
    return (images + images.roll(len(images) // 2, 0)) / 2


CORRUPTIONS: dict[str, Callable[[Tensor, torch.Generator], Tensor]] = {
    "noise": noise,
    "blur": blur,
    "occlusion": occlusion,
    "mixed": mixed,
}
