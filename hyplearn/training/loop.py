"""The training loop: short enough to be read, complete enough to be used at scale."""

import math
import os
import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from tqdm.auto import tqdm

from hyplearn.training.checkpoint import Interruption, load_checkpoint, rng_state, save_checkpoint, set_rng_state
from hyplearn.training.distributed import Processes
from hyplearn.training.history import History
from hyplearn.training.watch import NonFiniteError, find_non_finite


def pick_device(device: str | torch.device = "auto") -> torch.device:
    """The named device; for "auto" a GPU where there is one, else the CPU."""
    if str(device) == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(device)


def keep_freed_memory() -> None:
    """Lets the memory that one step frees wait for the next one, instead of going back to the kernel (glibc only).

    glibc returns what exceeds twice the largest block that was ever freed, counting blocks up to 32 MB (mallopt(3),
    "dynamic mmap threshold"): one such block, never touched, is freed here. Page faults were up to a fifth of a step.
    """
    torch.empty(31 << 20, dtype=torch.uint8)


def fit(
    model: nn.Module,
    data: Dataset,
    loss: Callable[[Tensor, Tensor], Tensor],
    optimizer: torch.optim.Optimizer,
    *,
    epochs: int,
    batch_size: int = 128,
    metrics: dict[str, Callable[[Tensor, Tensor], Tensor]] | None = None,
    validation: Dataset | None = None,
    scheduler: torch.optim.lr_scheduler.LRScheduler | None = None,
    patience: int | None = None,
    clip: Callable[[torch.optim.Optimizer], object] | None = None,
    device: str | torch.device = "auto",
    precision: str = "float32",
    compile: bool = False,
    seed: int = 0,
    workers: int = 0,
    checkpoint: str | os.PathLike | None = None,
    every_seconds: float = 60.0,
    progress: bool = True,
    live_plot: bool = False,
) -> History:
    """Trains `model` to make `loss(model(x), y)` small over the pairs (x, y) of `data`; returns the history.

    The order of the examples depends on `seed` and the epoch alone, so a run that was killed and started again with the
    same `checkpoint` continues where the file says and ends with the same weights (bit for bit on a CPU). Under
    `torchrun` every process takes its share of each batch and gradients are averaged: a batch of `batch_size` examples
    is the same batch however many processes there are.

    Args:
        model: maps a batch x to the first argument of `loss`; moved to `device`.
        data, validation: map-style datasets of pairs (x, y); a `TensorDataset` is indexed batch-wise.
        loss, metrics: functions of (output, y) that return the mean over the batch.
        optimizer: over the model's parameters; `scheduler` steps once per epoch.
        patience: stop after so many epochs without a smaller validation loss, and go back to the best weights.
        clip: called with the optimizer before each step, e.g. `partial(clip_grad_norm_, max_norm=1.0)`.
        precision: "float32", or "bfloat16" for automatic mixed precision (products in bfloat16; the layers keep the
            geometry in float32).
        compile: train through `torch.compile`: some minutes at the start, then shorter steps. For GPUs. The last batch
            of an epoch, if it is smaller, is not worth compiling once more.
        workers: processes that prepare batches beside this one (for images that are decoded or augmented on the fly).
        checkpoint: file to resume from, if it is there, and to save to: after each epoch, every `every_seconds`, and
            on Ctrl-C.
        progress, live_plot: a progress bar; in a notebook, a plot that grows with each epoch.

    Raises:
        NonFiniteError: if the loss is NaN or infinite, naming the layer and the radius at which it happened.
    """
    if precision not in ("float32", "bfloat16"):
        raise ValueError(f'precision must be "float32" or "bfloat16", got {precision!r}')
    if patience is not None and validation is None:
        raise ValueError("patience needs validation data; pass validation=...")
    keep_freed_memory()
    torch.manual_seed(seed)
    with Processes(pick_device(device)) as processes, Interruption() as interruption:
        model.to(processes.device)
        run = _Run(model, optimizer, scheduler, checkpoint, processes)
        parallel = processes.parallel(model)
        compiled = torch.compile(parallel, dynamic=False) if compile else parallel
        cast = torch.autocast(processes.device.type, torch.bfloat16, enabled=precision == "bfloat16")

        while run.epoch < epochs and not run.out_of_patience(patience):
            started, saved = time.perf_counter() - run.seconds, time.perf_counter()
            order = torch.randperm(len(data), generator=torch.Generator().manual_seed(seed * 1_000_003 + run.epoch))
            batches = [batch for batch in order.split(batch_size) if len(batch) >= processes.size]
            shares = [batch[processes.rank :: processes.size] for batch in batches]
            model.train()
            for x, y in tqdm(
                _load(data, shares[run.step :], workers),
                initial=run.step,
                total=len(batches),
                desc=f"epoch {run.epoch + 1}/{epochs}",
                disable=not (progress and processes.first),
                leave=False,
            ):
                x, y = x.to(processes.device), y.to(processes.device)
                with cast:
                    output = (compiled if len(batches[run.step]) == batch_size else parallel)(x)
                    value = loss(output, y)
                if processes.any(not math.isfinite(value.item())):
                    where = find_non_finite(model, x)
                    raise NonFiniteError(
                        f"loss is {value.item()} in epoch {run.epoch + 1}, step {run.step + 1}: {where}"
                    )
                optimizer.zero_grad()
                # Processes may hold shares of different size; weighted so, averaging gives the mean over the batch.
                (value * (len(x) * processes.size / len(batches[run.step]))).backward()
                if clip is not None:
                    clip(optimizer)
                optimizer.step()
                run.add(_scores(output.detach(), y, value.detach(), metrics), len(x))
                run.step += 1
                stop = processes.any(interruption.requested)
                if stop or time.perf_counter() - saved > every_seconds:
                    run.seconds, saved = time.perf_counter() - started, time.perf_counter()
                    run.save()
                if stop:
                    raise KeyboardInterrupt(f"saved to {checkpoint}" if checkpoint else "nothing was saved")

            row = {"epoch": run.epoch + 1, **run.averages()}
            if validation is not None:
                row |= {
                    f"val_{k}": v for k, v in evaluate(model, validation, loss, metrics, batch_size, precision).items()
                }
            run.seconds = time.perf_counter() - started
            run.end_epoch(row)
            if processes.first:
                _show(run.history, progress, live_plot)
        run.restore_best(patience)
    return run.history


@torch.no_grad()
def evaluate(
    model: nn.Module,
    data: Dataset,
    loss: Callable[[Tensor, Tensor], Tensor],
    metrics: dict[str, Callable[[Tensor, Tensor], Tensor]] | None = None,
    batch_size: int = 128,
    precision: str = "float32",
) -> dict[str, float]:
    """The mean loss and metrics of `model` over `data`, in evaluation mode, on the device where the model is."""
    device = next(model.parameters()).device
    training = model.training
    model.eval()
    totals = None
    for x, y in _load(data, torch.arange(len(data)).split(batch_size)):
        x, y = x.to(device), y.to(device)
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16"):
            output = model(x)
            scores = _scores(output, y, loss(output, y), metrics)
        totals = {k: (totals[k] if totals else 0.0) + v.item() * len(x) for k, v in scores.items()}
    model.train(training)
    return {k: v / len(data) for k, v in totals.items()}


class _Run:
    """The state of a run: all that a resumed run needs in order to be the same run."""

    def __init__(self, model, optimizer, scheduler, checkpoint, processes):
        self.model, self.optimizer, self.scheduler = model, optimizer, scheduler
        self.checkpoint, self.processes = checkpoint, processes
        self.epoch = self.step = 0
        self.seconds = 0.0
        self.sums: dict[str, Tensor] = {}
        self.history = History()
        self.best = None
        if checkpoint is not None and os.path.exists(checkpoint):
            self._load(load_checkpoint(checkpoint, processes.device))

    def add(self, scores: dict[str, Tensor], count: int) -> None:
        for name, value in (scores | {"count": torch.ones_like(scores["loss"])}).items():
            self.sums[name] = self.sums.get(name, 0.0) + value.double() * count

    def averages(self) -> dict[str, float]:
        sums = {k: self.processes.sum(v.clone()).item() for k, v in self.sums.items()}
        return {k: v / sums["count"] for k, v in sums.items() if k != "count"}

    def end_epoch(self, row: dict) -> None:
        self.history.append(row | {"seconds": round(self.seconds, 3)})
        if self.scheduler is not None:
            self.scheduler.step()
        if "val_loss" in row and (self.best is None or row["val_loss"] < self.best["val_loss"]):
            weights = {k: v.detach().clone() for k, v in self.model.state_dict().items()}
            self.best = {"val_loss": row["val_loss"], "epoch": row["epoch"], "model": weights}
        self.epoch, self.step, self.seconds, self.sums = self.epoch + 1, 0, 0.0, {}
        self.save()

    def out_of_patience(self, patience: int | None) -> bool:
        return patience is not None and self.best is not None and self.epoch - self.best["epoch"] >= patience

    def restore_best(self, patience: int | None) -> None:
        if patience is not None and self.best is not None:
            self.model.load_state_dict(self.best["model"])

    def save(self) -> None:
        if self.checkpoint is None or not self.processes.first:
            return
        state = {k: getattr(self, k) for k in ("epoch", "step", "seconds", "sums", "best")}
        state |= {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(), "rng": rng_state()}
        state["scheduler"] = self.scheduler.state_dict() if self.scheduler is not None else None
        save_checkpoint(self.checkpoint, state | {"history": list(self.history)})

    def _load(self, state: dict) -> None:
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.scheduler is not None:
            self.scheduler.load_state_dict(state["scheduler"])
        set_rng_state(state["rng"])
        self.history = History(state["history"])
        for name in ("epoch", "step", "seconds", "sums", "best"):
            setattr(self, name, state[name])


def _load(data: Dataset, batches: Sequence[Tensor], workers: int = 0) -> DataLoader:
    # A generator of its own: a DataLoader without one draws from torch's global generator, and a resumed run, which
    # makes one loader more, would see other dropout masks.
    options = {"num_workers": workers, "generator": torch.Generator()}
    if hasattr(data, "tensors"):
        return DataLoader(data, batch_size=None, sampler=batches, **options)
    return DataLoader(data, batch_sampler=[batch.tolist() for batch in batches], **options)


def _scores(output, y, value, metrics) -> dict[str, Tensor]:
    return {"loss": value} | {name: metric(output, y) for name, metric in (metrics or {}).items()}


def _show(history: History, progress: bool, live_plot: bool) -> None:
    if live_plot:
        from IPython.display import clear_output, display

        clear_output(wait=True)
        display(history.plot().figure)
    elif progress:
        tqdm.write("  ".join(f"{k} {v:.4g}" for k, v in history[-1].items()))
