"""Actions of moving shapes: how grave are the mistakes of hyperbolic prototypes, of flat ones, and of one-hot ones?"""

from dataclasses import dataclass

from torch.utils.data import TensorDataset

from hyplearn import viz
from hyplearn.data.scenes import ACTION_CLASSES, action_tree, draw_clips
from hyplearn.experiments.base import Data, accuracy, option
from hyplearn.experiments.prototypes import SHOWN, Classes, PrototypeExperiment, draw_confusion, draw_tree, predict
from hyplearn.metrics import accuracy_within, hierarchical_precision, mistake_hops
from hyplearn.networks import VideoEncoder

HELD_OUT = 1000  # clips for validation, and for testing


@dataclass(frozen=True)
class ActionsExperiment(PrototypeExperiment):
    """Twelve actions of a moving shape, matched with prototypes that a tree of actions has placed in hyperbolic space.

    Beside accuracy: the share of predictions with the right parent (sibling), with the right grandparent (cousin), the
    hierarchical precision of the five best, and how many edges of the tree a mistake is away from the truth. The tree
    that counts is always the true one.

    examples:
      hyplearn train actions --out run                   in the plane: the picture shows all there is
      hyplearn train actions --dim 16 --out wide
      hyplearn train actions --flat --out flat           the same tree, placed in flat space
      hyplearn train actions --cosine --out cosine       no tree: directions that are as far apart as they can be
      hyplearn train actions --tree permuted --out no    the tree with its leaves dealt to other places
    """

    clips: int = option(1500, "for training")
    frames: int = option(8, "per clip")
    size: int = option(16, "pixels, height and width")
    width: int = option(12, "channels of the encoder")

    def hierarchy(self, permuted):
        return action_tree(permuted)

    def encoder(self):
        return VideoEncoder(self.dim, self.width)

    def load(self) -> Data:
        parts = [self.draw_part(count, seed) for seed, count in enumerate((self.clips, HELD_OUT, HELD_OUT))]
        return Data(*parts, Classes.of(list(ACTION_CLASSES), action_tree()))

    def draw_part(self, count: int, seed: int) -> TensorDataset:
        scenes, actions = draw_clips(count, self.frames, seed=2 * seed)  # `draw_clips` uses the next seed as well
        return TensorDataset((4 * scenes.render(self.size)[0] - 2).unflatten(0, (count, self.frames)), actions)

    def network(self, data):
        return self.classifier(data.about.names)

    def metrics(self):
        return {"accuracy": accuracy}

    def scores(self, model, part, data):
        clips, true = part.tensors
        logits, _ = predict(model, clips)
        predicted, hops = logits.argmax(1), data.about.hops
        return {
            "accuracy": accuracy_within(predicted, true, hops),
            "sibling": accuracy_within(predicted, true, hops, 2),
            "cousin": accuracy_within(predicted, true, hops, 4),
            "precision5": hierarchical_precision(logits, true, hops, 5),
            "mistake_hops": mistake_hops(predicted, true, hops),
        }

    def draw(self, model, data, out):
        clips, true = data.test.tensors
        logits, points = predict(model, clips)
        pictures = {"confusion": draw_confusion(logits.argmax(1), true, data.about)}
        if self.dim == 2 and not self.cosine:
            labels = [data.about.names[k] for k in true[:SHOWN]]
            pictures["tree"] = draw_tree(model, self.given_tree(), self.places(), points[:SHOWN], labels)
        for name, (figure, alt) in pictures.items():
            viz.save(figure, out / f"{name}.svg", alt)
