"""A step of training recorded as a CUDA graph: launched at once, again and again.

A step is some 200 operations; to launch them one by one from Python takes longer than the
GPU needs for them. A graph holds their launches, with the memory that each works on, so
what goes in is copied to where it was when the step was recorded.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

_N_WARM_UP = 3
"""Steps before the one that is recorded: they compile, choose kernels and take memory."""


class CudaGraphStep:
    """A step on memory of its own; to record it changes nothing.

    Parameters
    ----------
    step
        What is done: a function of tensors on a GPU, which returns a tensor. It must do the
        same whatever their values are, and ask for none of these.
    inputs
        Such tensors, for their shapes and types.
    state
        Gives the tensors that a step changes in place. Those that the first step makes are
        0 before it.
    """

    def __init__(
        self,
        step: Callable[..., Tensor],
        inputs: Sequence[Tensor],
        state: Callable[[], Iterable[Tensor]],
    ) -> None:
        self._inputs = [tensor.clone() for tensor in inputs]
        before = {id(tensor): tensor.detach().clone() for tensor in state()}
        with _trying_kernels():
            stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                for _ in range(_N_WARM_UP):
                    step(*self._inputs)
            torch.cuda.current_stream().wait_stream(stream)
            with torch.no_grad():
                for tensor in state():
                    tensor.copy_(before.get(id(tensor), torch.zeros_like(tensor)))
            self._graph = torch.cuda.CUDAGraph()
            # Another thread may use the device meanwhile, to draw the next batches.
            with torch.cuda.graph(self._graph, capture_error_mode="thread_local"):
                self._output = step(*self._inputs)

    def __call__(self, *inputs: Tensor) -> Tensor:
        """Do the step; what it returns is overwritten by the next.

        Raises
        ------
        ValueError
            If a tensor has another shape than the one recorded.
        """
        for own, given in zip(self._inputs, inputs, strict=True):
            if own.shape != given.shape:
                raise ValueError(
                    f"recorded for shape {tuple(own.shape)}, got {tuple(given.shape)}"
                )
            own.copy_(given, non_blocking=True)
        self._graph.replay()
        return self._output


@contextmanager
def _trying_kernels() -> Iterator[None]:
    """Let the library find its fastest kernels by trying them: it pays for one shape."""
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = True
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before
