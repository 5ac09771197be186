"""What happened in training: a row per epoch, as data, as a table, as a picture."""

import json
import os
from pathlib import Path


class History(list):
    """A list of dicts, one per epoch: `epoch`, `loss`, `seconds` and each metric (`val_...`: on held-out data)."""

    def column(self, name: str) -> list[float]:
        """The values of one quantity, in the order of epochs."""
        return [row[name] for row in self]

    def save(self, path: str | os.PathLike) -> None:
        """Writes the rows as JSON, in one atomic step."""
        temporary = Path(path).with_suffix(".tmp")
        temporary.write_text(json.dumps(list(self), indent=1))
        os.replace(temporary, path)

    def plot(self, ax=None):
        """Draws loss and metrics against the epoch; returns matplotlib's axes."""
        if ax is None:
            from hyplearn import viz

            ax = viz.chart(5, 3)[1]
        for name in self[-1] if self else ():
            if name not in ("epoch", "seconds"):
                ax.plot(self.column("epoch"), self.column(name), marker=".", label=name)
        ax.set_xlabel("epoch")
        ax.legend(frameon=False)
        return ax

    def __str__(self) -> str:
        if not self:
            return "(no epochs yet)"
        names = list(self[-1])
        rows = [names] + [[f"{row[n]:d}" if n == "epoch" else f"{row[n]:.4g}" for n in names] for row in self]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join("  ".join(cell.rjust(w) for cell, w in zip(row, widths, strict=True)) for row in rows)
