"""Whole networks, built from layers."""

from hyplearn.networks.hnet import HNet, Net

__all__ = ["HNet", "Net"]
