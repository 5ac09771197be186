"""Checkpoints that are never half-written, and Ctrl-C that never tears a step apart."""

import os
import signal
import tempfile
import threading
from pathlib import Path

import torch


def save_checkpoint(path: str | os.PathLike, state: dict) -> None:
    """Writes `state` (tensors, numbers, strings, lists and dicts of them) so that `path` is the old file or the new.

    A kill at any moment leaves one of the two: the bytes go to a temporary file of the same folder, reach the disk, and
    take the name in one atomic step.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def load_checkpoint(path: str | os.PathLike, device: torch.device | str = "cpu") -> dict:
    """Reads what `save_checkpoint` wrote; only data is loaded, never code.

    Raises:
        FileNotFoundError, ValueError: if there is no such file, or it is not a checkpoint.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"no checkpoint at {path}")
    try:
        return torch.load(path, map_location=device, weights_only=True)
    except Exception as error:
        raise ValueError(f"{path} is not a checkpoint that can be read ({error}); delete it to start afresh") from error


def rng_state() -> dict:
    """The state of torch's random generators: with it, dropout goes on as if there had been no pause."""
    return {"cpu": torch.get_rng_state(), "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []}


def set_rng_state(state: dict) -> None:
    """Restores what `rng_state` returned; a GPU that is not there now is passed over."""
    torch.set_rng_state(state["cpu"].cpu())
    for device, generator in enumerate(state["cuda"][: torch.cuda.device_count()]):
        torch.cuda.set_rng_state(generator.cpu(), device)


class Interruption:
    """Makes the first Ctrl-C (or SIGTERM) a flag that a loop reads between two steps; the second interrupts at once.

        with Interruption() as interruption:
            for batch in batches:
                step(batch)
                if interruption.requested: save(); break

    Outside the main thread, where Python delivers no signals, it is always False.
    """

    def __enter__(self) -> "Interruption":
        self.requested = False
        self._old = {}
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._old[number] = signal.signal(number, self._handle)
        return self

    def _handle(self, number, frame):
        self.requested = True
        signal.signal(number, self._old[number])

    def __exit__(self, *exception) -> None:
        for number, handler in self._old.items():
            signal.signal(number, handler)
