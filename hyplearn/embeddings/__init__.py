"""Ways to embed a tree or graph: learned from relations, by cones, in closed form; and the flat baselines."""

from hyplearn.embeddings.contrastive import (
    EuclideanEmbedding,
    PoincareEmbedding,
    PublishedEmbedding,
    TranslationalEmbedding,
)
from hyplearn.embeddings.hmds import HMDSEmbedding
from hyplearn.embeddings.sarkar import SarkarEmbedding

__all__ = [
    "EuclideanEmbedding",
    "HMDSEmbedding",
    "PoincareEmbedding",
    "PublishedEmbedding",
    "SarkarEmbedding",
    "TranslationalEmbedding",
]
