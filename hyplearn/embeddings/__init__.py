"""Ways to embed a tree or graph: learned from relations, by cones, in closed form; the flat baselines; HoroPCA."""

from hyplearn.embeddings.cones import ConeEmbedding, EuclideanConeEmbedding, OrderEmbedding
from hyplearn.embeddings.contrastive import (
    EuclideanEmbedding,
    PoincareEmbedding,
    PublishedEmbedding,
    TranslationalEmbedding,
)
from hyplearn.embeddings.hmds import HMDSEmbedding
from hyplearn.embeddings.horopca import HoroPCA
from hyplearn.embeddings.sarkar import SarkarEmbedding

__all__ = [
    "ConeEmbedding",
    "EuclideanConeEmbedding",
    "EuclideanEmbedding",
    "HMDSEmbedding",
    "HoroPCA",
    "OrderEmbedding",
    "PoincareEmbedding",
    "PublishedEmbedding",
    "SarkarEmbedding",
    "TranslationalEmbedding",
]
