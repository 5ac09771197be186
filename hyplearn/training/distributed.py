"""Data-parallel training under `torchrun`: the same program, started once or once per processor."""

import atexit
import os

import torch
from torch import Tensor, nn
from torch import distributed as dist


class Processes:
    """This process among those that `torchrun` started (alone, without it).

        with Processes() as processes:
            model = processes.parallel(model)

    Under torchrun, entering joins the process group (nccl with one GPU per process, gloo on CPUs). It is left when the
    program ends, not before: gloo cannot meet twice under one torchrun, and a program may train twice.
    """

    def __init__(self, device: torch.device):
        self.rank = int(os.environ.get("RANK", 0))
        self.size = int(os.environ.get("WORLD_SIZE", 1))
        if self.size > 1 and device.type == "cuda":
            device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        self.device = device

    def __enter__(self) -> "Processes":
        if self.size > 1 and not dist.is_initialized():
            dist.init_process_group("nccl" if self.device.type == "cuda" else "gloo")
            atexit.register(dist.destroy_process_group)
        return self

    def __exit__(self, *exception) -> None:
        pass

    @property
    def first(self) -> bool:
        """Whether this process is the one that writes files and shows progress."""
        return self.rank == 0

    def parallel(self, model: nn.Module) -> nn.Module:
        """The model, its gradients averaged over all processes."""
        return nn.parallel.DistributedDataParallel(model) if self.size > 1 else model

    def sum(self, values: Tensor) -> Tensor:
        """The sum of `values` over all processes, in each of them."""
        if self.size > 1:
            dist.all_reduce(values)
        return values

    def any(self, flag: bool) -> bool:
        """Whether the flag is set in any process: all of them stop, or none."""
        return bool(self.sum(torch.tensor(float(flag), device=self.device)) > 0) if self.size > 1 else flag
