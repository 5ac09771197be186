"""How values cross between the grader and the worker: as data, never as code.

A message is one frame: 4 bytes length of the header, 8 bytes length of the body (both big-endian), the header (JSON),
the body (raw bytes of the tensors, one after the other). The grader reads frames that a student's code may have
written, so `receive` and `unpack` believe nothing: every length is bounded before it is read, every dtype and shape
is checked against the bytes that are there, and whatever is not on the list becomes an `Opaque`, which carries a name
and nothing else. There is no pickle: reading a hostile frame can fail, but it cannot run anything.

    None bool str            as themselves
    int                      {"int": "..."} (JSON readers round large ones)
    float complex            {"float": "0x1.8p+0"} exact, nan and inf included
    tuple list dict          {"tuple": [...]}, {"list": [...]}, {"dict": [[key, value], ...]}
    tensor, numpy array      {"tensor": number, "dtype": ..., "shape": [...], "grad": true}, {"array": number}
    numpy scalar             {"scalar": number}
    torch.dtype, torch.Size  {"dtype": "float32"}, {"size": [...]}
    a library object         {"manifold": "PoincareBall", "c": ..., "args": ...} through `EXTENSIONS`
    anything else            {"opaque": "type name"}, or a handle, where the sender has a table for it
"""

import json
import math
import socket
import struct
import time

import numpy as np
import torch

HEADER_LIMIT = 4 << 20
BODY_LIMIT = 256 << 20
DEPTH_LIMIT = 16
ITEMS_LIMIT = 100_000

DTYPES = {
    str(dtype).removeprefix("torch."): dtype
    for dtype in (
        *(torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.complex64, torch.complex128),
        *(torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64),
    )
}
_PREFIX = struct.Struct(">IQ")


class WireError(Exception):
    """The other side sent something that is no message."""


class Disconnected(Exception):
    """The other side is gone."""


class Opaque:
    """Stands for an object that cannot cross; only the name of its type did."""

    def __init__(self, type_name: str):
        self.type_name = type_name

    def __repr__(self):
        return f"<{self.type_name} object>"


# --- frames -----------------------------------------------------------------------------------------------------------


def send(sock: socket.socket, message: dict, tensors: list[torch.Tensor] = (), deadline: float | None = None) -> None:
    """Writes one frame; `deadline` (of `time.monotonic`) bounds the wait for a reader that does not read."""
    header = json.dumps(message).encode()
    chunks = [_raw(tensor) for tensor in tensors]
    frame = _PREFIX.pack(len(header), sum(map(len, chunks))) + header + b"".join(chunks)
    view = memoryview(frame)
    try:
        while view:
            _arm(sock, deadline)
            view = view[sock.send(view) :]
    except (BrokenPipeError, ConnectionResetError) as error:
        raise Disconnected from error


def receive(sock: socket.socket, deadline: float | None = None) -> tuple[dict, bytes]:
    """Reads one frame: its header and its body. `TimeoutError` at the deadline, `WireError` where it is malformed."""
    header_length, body_length = _PREFIX.unpack(_exactly(sock, _PREFIX.size, deadline))
    if header_length > HEADER_LIMIT or body_length > BODY_LIMIT:
        raise WireError("a message larger than the limit")
    header = _exactly(sock, header_length, deadline)
    body = _exactly(sock, body_length, deadline)
    try:
        message = json.loads(header)
    except (ValueError, RecursionError) as error:
        raise WireError("a message that is not JSON") from error
    if not isinstance(message, dict):
        raise WireError("a message that is not an object")
    return message, body


def _exactly(sock: socket.socket, count: int, deadline: float | None) -> bytes:
    data = bytearray()
    while len(data) < count:
        _arm(sock, deadline)
        try:
            chunk = sock.recv(min(1 << 20, count - len(data)))
        except ConnectionResetError as error:
            raise Disconnected from error
        if not chunk:
            raise Disconnected
        data += chunk
    return bytes(data)


def _arm(sock: socket.socket, deadline: float | None) -> None:
    remaining = None if deadline is None else deadline - time.monotonic()
    if remaining is not None and remaining <= 0:
        raise TimeoutError
    sock.settimeout(remaining)


# --- values -----------------------------------------------------------------------------------------------------------


class Packer:
    """Turns values into JSON and a list of tensors.

    `keep(value)` is asked about whatever is not data, and answers with a JSON object for it (a handle) or with None.
    """

    def __init__(self, keep=lambda value: None):
        self.keep = keep
        self.tensors: list[torch.Tensor] = []
        self.items = 0

    def pack(self, value, depth: int = 0):
        self.items += 1
        if depth > DEPTH_LIMIT or self.items > ITEMS_LIMIT:
            return {"opaque": f"{type(value).__name__} that is too deep or too long"}
        # Exact types first: a subclass may lie about itself, and one of Tensor is sent as the plain tensor in it.
        if value is None or type(value) in (bool, str):
            return value
        if type(value) is int:
            return {"int": str(value)} if value.bit_length() < 10_000 else {"opaque": "int that is too long"}
        if type(value) is float:
            return {"float": value.hex()}
        if type(value) is complex:
            return {"complex": [value.real.hex(), value.imag.hex()]}
        if isinstance(value, torch.Tensor):
            return self._tensor(value)
        if isinstance(value, np.ndarray) and value.dtype.kind in "biufc":
            return {"array": self._tensor(torch.from_numpy(np.ascontiguousarray(value).copy()))}
        if isinstance(value, np.generic) and value.dtype.kind in "biufc":
            return {"scalar": self._tensor(torch.from_numpy(np.array([value])))}
        if isinstance(value, torch.dtype):
            return {"dtype": str(value).removeprefix("torch.")}
        if isinstance(value, torch.Size):
            return {"size": [int(n) for n in value]}
        if isinstance(value, tuple | list):
            kind = "tuple" if isinstance(value, tuple) else "list"
            return {kind: [self.pack(item, depth + 1) for item in list(value)[:ITEMS_LIMIT]]}
        if isinstance(value, dict):
            pairs = list(value.items())[:ITEMS_LIMIT]
            return {"dict": [[self.pack(key, depth + 1), self.pack(item, depth + 1)] for key, item in pairs]}
        return self.keep(value) or {"opaque": type(value).__name__[:100]}

    def _tensor(self, value: torch.Tensor) -> dict:
        name = str(value.dtype).removeprefix("torch.")
        if name not in DTYPES or value.layout != torch.strided:
            return {"opaque": f"tensor of dtype {name} and layout {value.layout}"}
        self.tensors.append(value)
        return {
            "tensor": len(self.tensors) - 1,
            "dtype": name,
            "shape": list(value.shape),
            "grad": bool(value.requires_grad),
        }


class Unpacker:
    """The way back: JSON and the body's bytes into values; `find(tree)` resolves handles."""

    def __init__(self, body: bytes, find=lambda tree: None):
        self.body = body
        self.find = find
        self.offset = 0
        self.items = 0
        self.tensors: list[torch.Tensor] = []

    def unpack(self, tree, depth: int = 0):
        self.items += 1
        if depth > DEPTH_LIMIT + 4 or self.items > 4 * ITEMS_LIMIT:
            raise WireError("a value that is too deep or too long")
        if tree is None or isinstance(tree, bool | str):
            return tree
        if not isinstance(tree, dict) or not tree:
            raise WireError("a value of no known kind")
        kind = next(iter(tree))
        content = tree[kind]
        try:
            match kind:
                case "int":
                    return int(content)
                case "float":
                    return float.fromhex(content)
                case "complex":
                    return complex(*map(float.fromhex, content))
                case "tensor":
                    return self._tensor(tree)
                case "array":
                    return self._tensor(content).numpy()
                case "scalar":
                    return self._tensor(content).numpy()[0]
                case "dtype":
                    return DTYPES[content]
                case "size":
                    return torch.Size(content)
                case "tuple":
                    return tuple(self.unpack(item, depth + 1) for item in content)
                case "list":
                    return [self.unpack(item, depth + 1) for item in content]
                case "dict":
                    return {self.unpack(key, depth + 1): self.unpack(item, depth + 1) for key, item in content}
                case "opaque":
                    return Opaque(str(content)[:100])
        except WireError:
            raise
        except Exception as error:
            raise WireError(f"a malformed {kind[:20]}") from error
        found = self.find(tree)
        if found is None:
            raise WireError("a value of no known kind")
        return found

    def _tensor(self, tree: dict) -> torch.Tensor:
        dtype, shape = DTYPES[tree["dtype"]], tree["shape"]
        if tree["tensor"] != len(self.tensors):
            raise WireError("tensors out of order")
        if len(shape) > 64 or any(type(n) is not int or not 0 <= n <= BODY_LIMIT for n in shape):
            raise WireError("a tensor of impossible shape")
        length = math.prod(shape) * dtype.itemsize
        if self.offset + length > len(self.body):
            raise WireError("a tensor without its bytes")
        raw = torch.frombuffer(bytearray(self.body[self.offset : self.offset + length] or b"\0"), dtype=torch.uint8)
        if dtype is torch.bool and length and raw.max() > 1:
            raise WireError("a malformed bool")
        tensor = raw[:length].view(dtype).reshape(shape)
        self.offset += length
        tensor.requires_grad_(tree.get("grad") is True and (dtype.is_floating_point or dtype.is_complex))
        self.tensors.append(tensor)
        return tensor


def _raw(tensor: torch.Tensor) -> bytes:
    # `as_subclass`: the methods of a student's subclass of Tensor are not asked. `resolve_*`: lazily conjugated views.
    with torch.no_grad():
        plain = torch.Tensor.as_subclass(tensor, torch.Tensor).detach().resolve_conj().resolve_neg()
        return plain.cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
