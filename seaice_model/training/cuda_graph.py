"""A training step as a CUDA graph, recorded once and replayed for each batch.

A step is some 200 operations, and launching them one by one from Python takes longer than
the GPU needs for them. A graph contains their launches and the memory that each works on,
so inputs are copied to the memory that they had when the step was recorded.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

_N_WARM_UP = 3
"""Steps before the recorded one, which compile, choose kernels and allocate memory."""


class CudaGraphStep:
    """A step that works on memory of its own; recording it changes no state.

    Parameters
    ----------
    step
        A function of tensors on a GPU, which returns a tensor. It must run the same
        operations for all values of the tensors, and never read a value on the CPU.
    inputs
        Example inputs, for their shapes and types.
    state
        Returns the tensors that a step changes in place. Those that the first step creates
        are set to 0.
    """

    def __init__(
        self,
        step: Callable[..., Tensor],
        inputs: Sequence[Tensor],
        state: Callable[[], Iterable[Tensor]],
    ) -> None:
        self._inputs = [tensor.clone() for tensor in inputs]
        with _trying_kernels():
            with unchanged(state):
                stream = torch.cuda.Stream()
                stream.wait_stream(torch.cuda.current_stream())
                with torch.cuda.stream(stream):
                    for _ in range(_N_WARM_UP):
                        step(*self._inputs)
                torch.cuda.current_stream().wait_stream(stream)
            self._graph = torch.cuda.CUDAGraph()
            # Another thread may use the device meanwhile, for the next batches.
            with torch.cuda.graph(self._graph, capture_error_mode="thread_local"):
                self._output = step(*self._inputs)

    def __call__(self, *inputs: Tensor) -> Tensor:
        """Run the step; the tensor returned is overwritten by the next one.

        Raises
        ------
        ValueError
            If the shape of a tensor differs from the recorded one.
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
def unchanged(state: Callable[[], Iterable[Tensor]]) -> Iterator[None]:
    """Undo what is done to tensors; those that are new at the end are set to 0.

    Parameters
    ----------
    state
        Returns the tensors, on any device, or views of them.
    """
    before = {_place(tensor): tensor.detach().clone() for tensor in state()}
    yield
    with torch.no_grad():
        for tensor in state():
            tensor.copy_(before.get(_place(tensor), torch.zeros_like(tensor)))


def _place(tensor: Tensor) -> tuple[int, torch.Size]:
    """Return where a tensor is in memory: views of it are other objects each time."""
    return tensor.data_ptr(), tensor.shape


@contextmanager
def _trying_kernels() -> Iterator[None]:
    """Let the library try its kernels and choose the fastest: worth it for one shape."""
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = True
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before
