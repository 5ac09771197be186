"""The training loop: it learns, a killed run resumes bit for bit, a NaN is traced, two processes equal one."""

import os
import subprocess
import sys
import textwrap
from functools import partial

import pytest
import torch
from torch import nn
from torch.utils.data import Dataset, TensorDataset

from hyplearn import PoincareBall
from hyplearn.optim import RiemannianAdam, clip_grad_norm_
from hyplearn.training import NonFiniteError, fit, load_checkpoint, save_checkpoint


def dataset(n=96, seed=0):
    x = torch.randn(n, 4, generator=torch.Generator().manual_seed(seed))
    return TensorDataset(x, (x[:, 0] * x[:, 1] > 0).long())


def network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Dropout(0.1), nn.Linear(16, 2))


def accuracy(output, y):
    return (output.argmax(1) == y).double().mean()


def train(model, data=None, optimizer=None, epochs=3, **options):
    optimizer = optimizer or torch.optim.Adam(model.parameters(), lr=1e-2)
    options = {"batch_size": 16, "progress": False, "device": "cpu"} | options
    return fit(model, data or dataset(), nn.functional.cross_entropy, optimizer, epochs=epochs, **options)


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def test_it_learns_and_tells_the_history():
    history = train(network(), epochs=40, batch_size=8, metrics={"accuracy": accuracy}, validation=dataset(64, seed=1))
    assert history.column("epoch") == list(range(1, 41))
    assert history[-1]["loss"] < 0.5 * history[0]["loss"] and history[-1]["accuracy"] > 0.85
    assert 0 < history[-1]["val_accuracy"] <= 1
    assert "val_loss" in str(history) and len(str(history).splitlines()) == 41


def test_averages_weight_the_short_last_batch_by_its_size():
    model, data = nn.Linear(4, 2), dataset(20)
    loss = nn.functional.cross_entropy(model(data.tensors[0]), data.tensors[1]).item()
    history = train(model, data, torch.optim.SGD(model.parameters(), lr=0.0), epochs=1)
    assert history[0]["loss"] == pytest.approx(loss, rel=1e-6)


def test_same_seed_same_weights_and_any_map_style_dataset():
    class Pairs(Dataset):
        def __len__(self):
            return 96

        def __getitem__(self, i):
            return tuple(t[i] for t in dataset().tensors)

    a, b, c, d = network(), network(), network(), network()
    train(a), train(b), train(c, seed=1), train(d, Pairs())
    assert torch.equal(weights(a), weights(b)) and torch.equal(weights(a), weights(d))
    assert not torch.equal(weights(a), weights(c))


class Killed(Exception):
    pass


@pytest.mark.parametrize("killed_at", [1, 4, 6, 8, 13])
def test_a_killed_run_resumes_bit_for_bit(tmp_path, killed_at):
    def run(model, checkpoint, kill=None):
        optimizer = RiemannianAdam(model.parameters(), lr=1e-2)
        scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
        steps = iter(range(1000))

        def clip(optimizer):
            if next(steps) == kill:
                raise Killed
            clip_grad_norm_(optimizer, max_norm=0.5)

        return train(
            model,
            optimizer=optimizer,
            scheduler=scheduler,
            clip=clip,
            checkpoint=checkpoint,
            every_seconds=0.0 if killed_at % 2 else 60.0,  # after every step, or after every epoch (of six steps) only
            validation=dataset(32, seed=1),
        )

    whole, broken = network(), network()
    history = run(whole, None)
    with pytest.raises(Killed):
        run(broken, tmp_path / "run.pt", kill=killed_at)
    # What was saved replaces the weights; a run killed before it saved anything starts afresh.
    resumed = network(seed=9 if (tmp_path / "run.pt").exists() else 0)
    again = run(resumed, tmp_path / "run.pt")
    assert torch.equal(weights(whole), weights(resumed))
    for a, b in zip(history, again, strict=True):
        assert {k: v for k, v in a.items() if k != "seconds"} == {k: v for k, v in b.items() if k != "seconds"}


@pytest.mark.slow
def test_ctrl_c_saves_and_the_next_run_goes_on(tmp_path):
    script = tmp_path / "run.py"
    script.write_text(
        textwrap.dedent(
            f"""
            import os, signal, sys, torch
            sys.path.insert(0, {os.path.dirname(__file__)!r})
            from test_training import network, train, weights
            model, steps = network(), iter(range(1000))
            def clip(optimizer):
                if sys.argv[1] != "never" and next(steps) == int(sys.argv[1]):
                    os.kill(os.getpid(), signal.SIGINT)
            try:
                train(model, clip=clip, checkpoint={str(tmp_path / "run.pt")!r})
                print(weights(model).double().sum().item())
            except KeyboardInterrupt as stop:
                print(stop)
            """
        )
    )

    def run(arg):
        return subprocess.run([sys.executable, script, arg], capture_output=True, text=True, check=True).stdout

    assert "saved to" in run("8")
    assert load_checkpoint(tmp_path / "run.pt")["step"] == 3  # the ninth step, 8, is the third of the second epoch
    resumed = run("never")
    os.unlink(tmp_path / "run.pt")
    assert resumed == run("never")


@pytest.mark.slow
def test_a_run_killed_outright_resumes_bit_for_bit(tmp_path):
    """SIGKILL, which no program can catch, first while a checkpoint is being written, then between two saves."""
    script = tmp_path / "run.py"
    script.write_text(
        textwrap.dedent(
            f"""
            import os, signal, sys, torch
            sys.path.insert(0, {os.path.dirname(__file__)!r})
            from test_training import network, train, weights
            model, saves, steps, replace = network(), iter(range(1000)), iter(range(1000)), os.replace
            def killed_in_save(*paths):
                if sys.argv[1] == "save" and next(saves) == 4:
                    os.kill(os.getpid(), signal.SIGKILL)
                replace(*paths)
            def killed_in_step(optimizer):
                if sys.argv[1] == "step" and next(steps) == 6:
                    os.kill(os.getpid(), signal.SIGKILL)
            os.replace = killed_in_save
            train(model, clip=killed_in_step, checkpoint={str(tmp_path / "run.pt")!r}, every_seconds=0.0)
            torch.save(weights(model), {str(tmp_path / "weights.pt")!r})
            """
        )
    )
    for where, code, progress in (("save", -9, (0, 4)), ("step", -9, (1, 4)), ("never", 0, (3, 0))):
        assert subprocess.run([sys.executable, script, where]).returncode == code
        saved = load_checkpoint(tmp_path / "run.pt")
        assert (saved["epoch"], saved["step"]) == progress
    whole = network()
    train(whole)
    assert torch.equal(weights(whole), torch.load(tmp_path / "weights.pt"))


def test_a_damaged_checkpoint_is_named_and_a_failed_save_leaves_the_old(tmp_path):
    path = tmp_path / "run.pt"
    save_checkpoint(path, {"a": torch.ones(2)})
    with pytest.raises(Exception, match="pickle"):
        save_checkpoint(path, {"a": lambda: None})
    assert torch.equal(load_checkpoint(path)["a"], torch.ones(2))
    assert [p.name for p in tmp_path.iterdir()] == ["run.pt"]
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ValueError, match="delete it to start afresh"):
        load_checkpoint(path)
    with pytest.raises(FileNotFoundError, match="no checkpoint"):
        load_checkpoint(tmp_path / "other.pt")


def test_patience_stops_and_gives_the_best_weights_back():
    torch.manual_seed(0)
    noise = TensorDataset(torch.randn(32, 4), torch.randint(0, 2, (32,)))
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    history = train(model, noise, optimizer, epochs=60, patience=3, validation=dataset(64, seed=2))
    best = min(history, key=lambda row: row["val_loss"])
    assert len(history) == best["epoch"] + 3 < 60
    model.eval()
    x, y = dataset(64, seed=2).tensors
    assert nn.functional.cross_entropy(model(x), y).item() == pytest.approx(best["val_loss"], rel=1e-5)


class Explodes(nn.Module):
    def __init__(self):
        super().__init__()
        self.manifold = PoincareBall(4.0)
        self.steps = 0

    def forward(self, x):
        self.steps += self.training
        return x / 0 if self.steps > 2 else x


def test_a_nan_is_traced_to_its_layer_and_radius():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.broken, self.last = nn.Linear(4, 2), Explodes(), nn.Linear(2, 2)

        def forward(self, x):
            return self.last(self.broken(0.2 * torch.tanh(self.first(x))))

    with pytest.raises(NonFiniteError, match=r"epoch 1, step 3: layer 'broken' \(Explodes\).*sqrt\(c\) R = [0-3]\.\d"):
        train(Net())

    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e38)
    with pytest.raises(NonFiniteError, match=r"parameter '0.weight' holds NaN or infinity|layer"):
        train(model, optimizer=optimizer)


def test_clip_is_called_before_the_step():
    model = nn.Linear(4, 2)
    before = weights(model)
    optimizer = RiemannianAdam(model.parameters(), lr=0.1)
    train(model, optimizer=optimizer, epochs=1, clip=partial(clip_grad_norm_, max_norm=0.0))
    assert torch.equal(before, weights(model))


def test_bfloat16_trains_and_keeps_float32_weights():
    model = network()
    history = train(model, precision="bfloat16", epochs=30)
    assert history[-1]["loss"] < history[0]["loss"]
    assert all(p.dtype == torch.float32 for p in model.parameters())


def test_compiled_steps_are_the_same_steps_but_for_the_short_last_batch(monkeypatch):
    sizes = []

    def compiled(model, dynamic):
        return lambda x: (sizes.append(len(x)), model(x))[1]

    plain, model = network(), network()
    train(plain, dataset(40))
    monkeypatch.setattr(torch, "compile", compiled)
    train(model, dataset(40), compile=True)
    assert sizes == [16, 16] * 3
    assert torch.equal(weights(plain), weights(model))


def test_the_live_plot_is_drawn_anew_after_each_epoch(monkeypatch):
    display = pytest.importorskip("IPython.display", reason="IPython is not installed")
    shown = []
    monkeypatch.setattr(display, "clear_output", lambda wait: shown.append("clear"))
    monkeypatch.setattr(display, "display", lambda figure: shown.append(len(figure.axes[0].lines[0].get_xdata())))
    train(network(), live_plot=True)
    assert shown == ["clear", 1, "clear", 2, "clear", 3]


def test_progress_goes_to_stderr_and_the_rows_are_told(capsys):
    train(network(), progress=True, epochs=2)
    out, err = capsys.readouterr()
    assert "epoch 1/2" in err and "epoch 2  loss" in out + err


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match="precision must be"):
        train(network(), precision="float16")
    with pytest.raises(ValueError, match="patience needs validation"):
        train(network(), patience=2)


@pytest.mark.slow
def test_two_processes_train_as_one_does(tmp_path):
    script = tmp_path / "run.py"
    script.write_text(
        textwrap.dedent(
            f"""
            import os, sys, torch
            from torch import nn
            sys.path.insert(0, {os.path.dirname(__file__)!r})
            from test_training import dataset, train, weights
            torch.manual_seed(0)
            model = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 2)).double()
            data = dataset(101)
            data.tensors = (data.tensors[0].double(), data.tensors[1])
            history = train(model, data, checkpoint={str(tmp_path)!r} + "/" + sys.argv[1])
            if os.environ.get("RANK", "0") == "0":
                print(history[-1]["loss"], weights(model).sum().item(), weights(model).norm().item())
            """
        )
    )
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    outputs = [
        subprocess.run([*start, script, name], capture_output=True, text=True, check=True, env=environment).stdout
        for start, name in (([sys.executable], "one.pt"), (torchrun, "two.pt"))
    ]
    one, two = ([float(v) for v in out.split()] for out in outputs)
    assert one == pytest.approx(two, rel=1e-9)


def test_the_history_draws_itself_without_touching_pyplot():
    code = "from test_training import *; axes = train(network()).plot()"
    code += "; print(len(axes.lines), 'matplotlib.pyplot' in sys.modules)"
    where = os.path.dirname(__file__)
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=where).stdout
    assert out.split() == ["1", "False"]
