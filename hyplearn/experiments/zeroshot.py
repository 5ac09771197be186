"""Zero-shot recognition: shapes of kinds that were never seen, found by their place in the tree of classes."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import TensorDataset

from hyplearn import viz
from hyplearn.data.scenes import CLASSES, SHAPES, draw_scenes, scene_tree
from hyplearn.experiments.base import Data, accuracy, option
from hyplearn.experiments.prototypes import SHOWN, Classes, PrototypeExperiment, draw_confusion, draw_tree, predict
from hyplearn.metrics import accuracy_within, hierarchical_precision, mistake_hops
from hyplearn.networks import ConvEncoder

HELD_OUT = 60  # pictures of each kind for validation, and for testing


class Split(NamedTuple):
    """Kinds of shapes to learn from, to choose settings with, and to test on: no kind is in two of them."""

    seen: list[str]
    validation: list[str]
    test: list[str]


def split_kinds(held_out: str) -> Split:
    """Of each group the last leaf is for testing and, of four or more, the last but one for validation ("leaves"); or
    of each branch the last group, and the last but one ("groups")."""
    split = Split([], [], [])
    for groups in SHAPES.values():
        for k, leaves in enumerate(map(list, groups.values())):
            if held_out == "groups":
                split[max(0, k + 3 - len(groups))].extend(leaves)
                continue
            spare = len(leaves) > 3
            split.seen.extend(leaves[: -1 - spare])
            split.validation.extend(leaves[-1 - spare : -1])
            split.test.append(leaves[-1])
    return split


@dataclass(frozen=True)
class ZeroShotExperiment(PrototypeExperiment):
    """Shapes of kinds that were never seen, ranked by the distances of their prototypes.

    What a tree can tell of an unseen kind is which seen kinds are near to it, and no more: a picture is looked for
    among the unseen kinds (`leaf`; with one of each group held out, that is: which group), and among all kinds (`all`,
    and `all_group`, `all_branch`: the share whose best kind is of the right group, of the right branch). Where whole
    groups are held out, `leaf` asks the tree for what it does not know, and `branch` is what is left to ask. New
    pictures of the kinds that were learned are looked for among these (`seen`) and among all kinds (`all_seen`). The
    tree that counts is always the true one.

    The cosine twin has no place for an unseen kind. It is given the tree afterwards: a kind is the better the fewer
    edges it is away from the seen ones, on average over their probabilities (as Norouzi et al. 2014 do with words).

    examples:
      hyplearn train zeroshot --out run                     one kind of each group held out, in the plane
      hyplearn train zeroshot --held-out groups --out run2  whole groups held out
      hyplearn train zeroshot --flat --out flat             the same tree, placed in flat space
      hyplearn train zeroshot --cosine --out cosine         no tree in training
      hyplearn train zeroshot --tree permuted --out no      the tree with its leaves dealt to other places
    """

    held_out: str = option("leaves", "what is never seen: a leaf of each group, or a group of each branch",
                           choices=("leaves", "groups"))  # fmt: skip
    images: int = option(4000, "for training")
    size: int = option(24, "pixels, height and width")

    def hierarchy(self, permuted):
        return scene_tree(permuted)

    def encoder(self):
        return ConvEncoder(3, self.dim, self.width, blocks=4)

    def load(self) -> Data:
        split = split_kinds(self.held_out)
        names = [*split.seen, *split.validation, *split.test]
        train = self.draw_part(names, split.seen, self.images, 0)
        held_out = [
            self.draw_part(names, [*split.seen, *unseen], HELD_OUT * len([*split.seen, *unseen]), seed)
            for seed, unseen in enumerate((split.validation, split.test), 1)
        ]
        return Data(train, *held_out, Classes.of(names, scene_tree()))

    def draw_part(self, names: list[str], kinds: list[str], count: int, seed: int) -> TensorDataset:
        """Pictures of some kinds, labelled by their place in `names`."""
        scenes = draw_scenes(count, kinds=kinds, seed=seed)
        label = torch.tensor([names.index(name) if name in names else -1 for name in CLASSES])
        return TensorDataset(4 * scenes.render(self.size)[0] - 2, label[scenes.kind[:, 0]])

    def network(self, data):
        return self.classifier(data.about.names[: self.seen()] if self.cosine else data.about.names)

    def seen(self) -> int:
        """How many kinds are learned: the labels below."""
        return len(split_kinds(self.held_out).seen)

    def loss(self, data):
        """Only the seen kinds compete: nothing is learned of the others, not even that they are not meant."""
        seen = self.seen()
        return lambda logits, labels: F.cross_entropy(logits[:, :seen], labels)

    def metrics(self):
        seen = self.seen()
        return {"accuracy": lambda logits, labels: accuracy(logits[:, :seen], labels)}

    def rank(self, logits: Tensor, data: Data) -> Tensor:
        """(N, classes) scores of all kinds, more is better, from the network's logits."""
        if not self.cosine:
            return logits
        hops = Classes.of(data.about.names, self.given_tree()).hops
        return -logits.softmax(1) @ hops[: self.seen()].float()

    def scores(self, model, part, data):
        images, true = part.tensors
        logits, _ = predict(model, images)
        seen, hops = self.seen(), data.about.hops
        new = true >= seen
        unseen = true[new].unique()
        ranked = self.rank(logits, data)
        among_unseen = unseen[ranked[new][:, unseen].argmax(1)]
        best = self.among_all(ranked, unseen)
        place = torch.searchsorted(unseen, true[new])
        return {
            "leaf": accuracy_within(among_unseen, true[new], hops),
            "group": accuracy_within(among_unseen, true[new], hops, 2),
            "branch": accuracy_within(among_unseen, true[new], hops, 4),
            "precision3": hierarchical_precision(ranked[new][:, unseen], place, hops[unseen][:, unseen], 3),
            "all": accuracy_within(best[new], true[new], hops),
            "all_group": accuracy_within(best[new], true[new], hops, 2),
            "all_branch": accuracy_within(best[new], true[new], hops, 4),
            "all_hops": mistake_hops(best[new], true[new], hops),
            "all_seen": accuracy_within(best[~new], true[~new], hops),
            "seen": accuracy(logits[~new][:, :seen], true[~new]).item(),
        }

    def among_all(self, ranked: Tensor, unseen: Tensor) -> Tensor:
        """(N,) the best of the seen kinds and of these unseen ones."""
        rivals = torch.cat([torch.arange(self.seen()), unseen])
        return rivals[ranked[:, rivals].argmax(1)]

    def draw(self, model, data, out):
        images, true = data.test.tensors
        images, true = (part[true >= self.seen()] for part in (images, true))
        logits, points = predict(model, images)
        best = self.among_all(self.rank(logits, data), true.unique())
        pictures = {"confusion": draw_confusion(best, true, data.about)}
        if self.dim == 2 and not self.cosine:
            labels = [data.about.names[k] for k in true[:SHOWN]]
            pictures["tree"] = draw_tree(model, self.given_tree(), self.places(), points[:SHOWN], labels)
        for name, (figure, alt) in pictures.items():
            viz.save(figure, out / f"{name}.svg", alt)
