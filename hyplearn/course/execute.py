"""Run a notebook in a kernel of its own."""

import os
import subprocess
import tempfile
import time
from pathlib import Path

import nbclient
import nbformat

from hyplearn.course.outputs import WIDGET_VIEW
from hyplearn.errors import Failed


def execute(notebook, where: str, timeout: float = 900) -> float:
    """Run every cell, outputs into the notebook; returns the seconds that it takes where nothing else is running:
    those of the clock or those of the processor, whichever are fewer.

    The run is the same on every machine: on one thread of the CPU, in an empty folder, without the user's IPython
    settings and without real data sets, so that what stands in the repository is what a reader gets. Widgets are kept
    as the page that they carry with them: the id of a live widget means nothing once the kernel is gone.
    """
    with tempfile.TemporaryDirectory() as folder:
        environment = {key: value for key, value in os.environ.items() if not key.startswith("HYPLEARN_")}
        environment |= {
            "CUDA_VISIBLE_DEVICES": "",
            "IPYTHONDIR": folder,
            "OMP_NUM_THREADS": "1",  # sums in the same order everywhere, and trainings of this size are faster so
            "PYTHONHASHSEED": "0",
            "TQDM_DISABLE": "1",
        }
        client = nbclient.NotebookClient(
            notebook,
            timeout=timeout,
            kernel_name="python3",
            coalesce_streams=True,
            store_widget_state=False,
            record_timing=False,
            resources={"metadata": {"path": folder}},
        )
        start, computed = time.perf_counter(), _computing()
        try:
            client.execute(env=environment, stderr=subprocess.DEVNULL)  # of the kernel, not of the cells
        except (nbclient.exceptions.CellExecutionError, nbclient.exceptions.CellTimeoutError) as error:
            cell = next((cell for cell in reversed(notebook.cells) if cell.get("execution_count")), notebook.cells[0])
            reason = f"{error.ename}: {error.evalue}" if hasattr(error, "ename") else f"ran longer than {timeout:g} s"
            raise Failed(f"{where}: cell {cell.id!r} failed with {reason}") from None
        seconds, computed = time.perf_counter() - start, _computing() - computed
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if len(data) > 1:
                data.pop(WIDGET_VIEW, None)
    return min(seconds, computed) if computed > 0 else seconds


def _computing() -> float:
    """Processor time of the processes that have ended; 0 where the system does not tell."""
    times = os.times()
    return times.children_user + times.children_system


def load(path: Path) -> nbformat.NotebookNode:
    """A notebook from its file."""
    try:
        return nbformat.read(path, as_version=4)
    except (OSError, ValueError, nbformat.reader.NotJSONError) as error:
        raise Failed(f"{path.name}: no readable notebook ({error.__class__.__name__})") from None
