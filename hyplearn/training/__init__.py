"""The training loop, and what makes long work safe: checkpoints, exact resume, Ctrl-C, several processes."""

from hyplearn.training.checkpoint import Interruption, load_checkpoint, rng_state, save_checkpoint, set_rng_state
from hyplearn.training.distributed import Processes
from hyplearn.training.history import History
from hyplearn.training.loop import evaluate, fit, keep_freed_memory, pick_device
from hyplearn.training.watch import NonFiniteError

__all__ = [
    "History",
    "Interruption",
    "NonFiniteError",
    "Processes",
    "evaluate",
    "fit",
    "keep_freed_memory",
    "load_checkpoint",
    "pick_device",
    "rng_state",
    "save_checkpoint",
    "set_rng_state",
]
