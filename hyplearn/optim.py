"""Riemannian SGD and Adam: torch's optimisers for flat parameters, and their geometric form for points of a manifold.

A parameter group with `manifold=M` holds points of M, coordinates along the last dimension; a group without one holds
ordinary parameters and is updated by torch's own implementation, bit for bit:

    RiemannianAdam([{"params": prototypes, "manifold": ball}, {"params": network.parameters()}], lr=1e-2)

For a point x with partial derivatives g, both optimisers do the same four things (Bonnabel 2013; Becigneul and Ganea
2019): turn g into the Riemannian gradient, mix it into the momentum, walk along the geodesic (or its retraction), and
carry the momentum along to the new point.
"""

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterable

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.adam import adam
from torch.optim.sgd import sgd

from hyplearn.manifolds import Manifold


class RiemannianOptimizer(Optimizer, ABC):
    """What the two optimisers share: groups of points beside flat groups, closures, and a state_dict of tensors only.

    A gradient may be sparse (`nn.Embedding(sparse=True)`): then only the rows that occur in it move, and only their
    moments change, as in `torch.optim.SparseAdam`.
    """

    def __init__(self, params: Iterable, defaults: dict):
        super().__init__(params, defaults)
        # A manifold is a module with a state of its own. It belongs to the group, not to what the group learned.
        self.register_state_dict_post_hook(_without_manifolds)

    def add_param_group(self, param_group: dict) -> None:
        super().add_param_group(param_group)
        group = self.param_groups[-1]
        manifold = group["manifold"]
        if manifold is not None and not isinstance(manifold, Manifold):
            raise TypeError(f"manifold must be a Manifold, or None for flat parameters, got {type(manifold).__name__}")
        if manifold is not None and group["weight_decay"] != 0:
            raise ValueError("weight_decay must be 0 for points: it depends on the chart; put dist0 into the loss")

    def load_state_dict(self, state_dict: dict) -> None:
        manifolds = [group["manifold"] for group in self.param_groups]
        super().load_state_dict(state_dict)
        for group, manifold in zip(self.param_groups, manifolds, strict=True):
            group["manifold"] = manifold

    @torch.no_grad()
    def step(self, closure=None):
        """One step for every parameter with a gradient; returns the loss of `closure` if one is given."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            params = [p for p in group["params"] if p.grad is not None]
            for p in params:
                if not self.state[p]:
                    self.state[p].update(self._initial_state(p, group))
            if group["manifold"] is not None:
                for points in _batches(params, self.state):
                    self._step_points(points, group)
            elif params:
                self._step_flat(params, group)
        return loss

    @abstractmethod
    def _initial_state(self, p: Tensor, group: dict) -> dict[str, Tensor]:
        """What is remembered about p from step to step."""

    @abstractmethod
    def _step_flat(self, params: list[Tensor], group: dict) -> None:
        """torch's own step, for flat parameters."""

    @abstractmethod
    def _step_points(self, points: "_Points", group: dict) -> None:
        """The Riemannian step."""


class RiemannianSGD(RiemannianOptimizer):
    """Stochastic gradient descent along geodesics (Bonnabel 2013), with momentum that is parallel transported.

        m <- momentum m + (1 - dampening) grad f(x)      (the first m is grad f(x) itself, as in torch)
        x <- exp_x(-lr m),   m <- transport of m to the new x

    Args:
        params: parameters or groups; a group's own `manifold`, `lr`, ... override the defaults below.
        lr: step size: the length of the step for a gradient of length 1, in the manifold's units.
        momentum, dampening, nesterov, weight_decay, maximize: as in `torch.optim.SGD`; weight_decay is for flat groups.
        manifold: the manifold on whose points the parameters lie; None for flat parameters.
        retraction: step with `manifold.retr` (Nickel and Kiela 2017) instead of the exact exponential map.
    """

    def __init__(
        self,
        params,
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        *,
        manifold: Manifold | None = None,
        retraction: bool = False,
        maximize: bool = False,
    ):
        _check_not_negative(lr=lr, momentum=momentum, weight_decay=weight_decay)
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("nesterov needs momentum > 0 and dampening = 0")
        super().__init__(
            params,
            dict(
                lr=lr,
                momentum=momentum,
                dampening=dampening,
                weight_decay=weight_decay,
                nesterov=nesterov,
                manifold=manifold,
                retraction=retraction,
                maximize=maximize,
            ),
        )

    def _initial_state(self, p, group):
        return {"momentum_buffer": None}

    def _step_flat(self, params, group):
        buffers = [self.state[p]["momentum_buffer"] for p in params]
        sgd(
            params,
            [p.grad for p in params],
            buffers,
            has_sparse_grad=any(p.grad.is_sparse for p in params),
            weight_decay=group["weight_decay"],
            momentum=group["momentum"],
            lr=group["lr"],
            dampening=group["dampening"],
            nesterov=group["nesterov"],
            maximize=group["maximize"],
        )
        for p, buffer in zip(params, buffers, strict=True):
            self.state[p]["momentum_buffer"] = buffer

    def _step_points(self, points, group):
        manifold, momentum, retraction = group["manifold"], group["momentum"], group["retraction"]
        x = points.gather(points.params)
        grad = manifold.egrad2rgrad(x, -points.grad if group["maximize"] else points.grad)
        if momentum == 0:
            walk = manifold.retr if retraction else manifold.expmap
            points.scatter_(points.params, walk(x, -group["lr"] * grad))
            return
        states = [self.state[p] for p in points.params]
        if states[0]["momentum_buffer"] is None:
            for p, state in zip(points.params, states, strict=True):
                state["momentum_buffer"] = torch.zeros_like(p)
            buffer = grad
        else:
            old = points.gather([s["momentum_buffer"] for s in states])
            buffer = momentum * old + (1 - group["dampening"]) * grad
        direction = grad + momentum * buffer if group["nesterov"] else buffer
        y, buffer = _walk(manifold, x, direction, -group["lr"], buffer, retraction)
        points.scatter_(points.params, y)
        points.scatter_([s["momentum_buffer"] for s in states], buffer)


class RiemannianAdam(RiemannianOptimizer):
    """Adam for points (Becigneul and Ganea 2019, RADAM): one adaptive step size per point, momentum transported.

        m <- beta1 m + (1 - beta1) grad f(x),   v <- beta2 v + (1 - beta2) |grad f(x)|_x^2
        x <- exp_x(-lr m^ / (sqrt(v^) + eps)),  m <- transport of m to the new x

    with the bias-corrected m^ = m / (1 - beta1^t), v^ = v / (1 - beta2^t). A point has no preferred coordinate axes, so
    v is one number per point: the step turns with the space, unlike that of coordinate-wise Adam.

    Args:
        params: parameters or groups; a group's own `manifold`, `lr`, ... override the defaults below.
        lr: step size: about the geodesic length of one step, in the manifold's units.
        betas, eps, weight_decay, amsgrad, maximize: as in `torch.optim.Adam`; weight_decay is for flat groups.
        manifold: the manifold on whose points the parameters lie; None for flat parameters.
    """

    def __init__(
        self,
        params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
        *,
        manifold: Manifold | None = None,
        maximize: bool = False,
    ):
        _check_not_negative(lr=lr, eps=eps, weight_decay=weight_decay)
        if not all(0 <= beta < 1 for beta in betas):
            raise ValueError(f"betas must lie in [0, 1), got {betas}")
        super().__init__(
            params,
            dict(
                lr=lr,
                betas=betas,
                eps=eps,
                weight_decay=weight_decay,
                amsgrad=amsgrad,
                manifold=manifold,
                maximize=maximize,
            ),
        )

    def _initial_state(self, p, group):
        squares = torch.zeros_like(p) if group["manifold"] is None else torch.zeros_like(p[..., :1])
        state = {"step": torch.tensor(0.0), "exp_avg": torch.zeros_like(p), "exp_avg_sq": squares}
        return state | {"max_exp_avg_sq": squares.clone()} if group["amsgrad"] else state

    def _step_flat(self, params, group):
        states = [self.state[p] for p in params]
        adam(
            params,
            [p.grad for p in params],
            [s["exp_avg"] for s in states],
            [s["exp_avg_sq"] for s in states],
            [s["max_exp_avg_sq"] for s in states] if group["amsgrad"] else [],
            [s["step"] for s in states],
            amsgrad=group["amsgrad"],
            beta1=group["betas"][0],
            beta2=group["betas"][1],
            lr=group["lr"],
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            maximize=group["maximize"],
        )

    def _step_points(self, points, group):
        manifold, (beta1, beta2) = group["manifold"], group["betas"]
        states = [self.state[p] for p in points.params]
        x = points.gather(points.params)
        partials = -points.grad if group["maximize"] else points.grad
        grad = manifold.egrad2rgrad(x, partials)
        # |grad f|^2 = df(grad f): the pairing of partial derivatives and gradient needs no metric.
        square = (partials * grad).sum(dim=-1, keepdim=True)
        m = points.gather([s["exp_avg"] for s in states]).lerp(grad, 1 - beta1)
        v = points.gather([s["exp_avg_sq"] for s in states]).lerp(square, 1 - beta2)
        points.scatter_([s["exp_avg_sq"] for s in states], v)
        if group["amsgrad"]:
            largest = [s["max_exp_avg_sq"] for s in states]
            v = torch.maximum(points.gather(largest), v)
            points.scatter_(largest, v)
        torch._foreach_add_([s["step"] for s in states], 1)
        t = states[0]["step"].item()
        pace = -group["lr"] / (1 - beta1**t) / ((v / (1 - beta2**t)).sqrt() + group["eps"])
        y, m = manifold.geodesic_flow(x, m, pace)
        points.scatter_(points.params, y)
        points.scatter_([s["exp_avg"] for s in states], m)


def clip_grad_norm_(optimizer: RiemannianOptimizer, max_norm: float) -> Tensor:
    """Scales all gradients of an optimiser so that their joint Riemannian norm is at most `max_norm`.

    The norm is sqrt(sum over points of |grad f|_x^2 + sum over flat parameters of |g|^2); it does not depend on the
    chart. Gradients are scaled in place. Sparse gradients count with the rows that they hold.

    Returns:
        The norm before clipping, a 0-dimensional tensor.
    """
    grads, squares = [], []
    with torch.no_grad():
        for group in optimizer.param_groups:
            for p in (p for p in group["params"] if p.grad is not None):
                if group["manifold"] is None:
                    g = p.grad.coalesce().values() if p.grad.is_sparse else p.grad
                    squares.append((g * g).sum())
                else:
                    points = _Points([p])
                    x = points.gather(points.params)
                    rgrad = group["manifold"].egrad2rgrad(x, points.grad)
                    squares.append(group["manifold"].inner(x, rgrad).sum())
                grads.append(p.grad)
        norm = torch.stack([s.double() for s in squares]).sum().sqrt() if squares else torch.tensor(0.0).double()
        scale = (max_norm / norm.clamp_min(torch.finfo(norm.dtype).tiny)).clamp_max(1.0)
        for g in grads:
            g.mul_(scale.to(g.dtype))
    return norm


class _Points:
    """The points of several parameters as the rows of one matrix: a step then costs the same number of kernels
    whether there is one parameter or a hundred. A sparse gradient selects the rows that it holds."""

    def __init__(self, params: list[Tensor]):
        self.params = params
        self.rows = None
        if params[0].grad.is_sparse:
            grad = params[0].grad.coalesce()
            self.rows, self.grad = grad.indices()[0], grad.values()
        else:
            self.grad = self.gather([p.grad for p in params])

    def gather(self, tensors: list[Tensor]) -> Tensor:
        if self.rows is not None:
            return tensors[0][self.rows]
        if len(tensors) == 1:
            return tensors[0]
        return torch.cat([t.reshape(-1, t.shape[-1]) for t in tensors])

    def scatter_(self, tensors: list[Tensor], values: Tensor) -> None:
        if self.rows is not None:
            tensors[0].index_copy_(0, self.rows, values)
        elif len(tensors) == 1:
            tensors[0].copy_(values)
        else:
            parts = values.split([t.numel() // t.shape[-1] for t in tensors])
            torch._foreach_copy_(tensors, [part.view_as(t) for part, t in zip(parts, tensors, strict=True)])


def _batches(params: list[Tensor], state: dict) -> Iterable[_Points]:
    """Parameters that can take their step together: same width, dtype, device and number of steps so far."""
    batches = defaultdict(list)
    for p in params:
        steps = state[p].get("step", state[p].get("momentum_buffer") is None)
        key = (p.shape[-1], p.dtype, p.device, float(steps), p if p.grad.is_sparse else None)
        batches[key].append(p)
    return map(_Points, batches.values())


def _walk(manifold, x, direction, t, momentum, retraction):
    """exp_x(t direction), or its retraction, and the momentum carried there."""
    if momentum is direction and not retraction:
        return manifold.geodesic_flow(x, direction, t)
    y = manifold.retr(x, t * direction) if retraction else manifold.expmap(x, t * direction)
    return y, manifold.transp(x, y, momentum)


def _without_manifolds(optimizer: Optimizer, state_dict: dict) -> None:
    for group in state_dict["param_groups"]:
        group.pop("manifold", None)


def _check_not_negative(**values: float) -> None:
    for name, value in values.items():
        if not value >= 0:
            raise ValueError(f"{name} must be >= 0, got {value}")
