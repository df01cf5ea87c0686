"""Calls in worker processes, results as they finish: on this machine with loky, or on a Dask cluster."""

from __future__ import annotations

import signal
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from .errors import UserError

BACKENDS = ("loky", "dask")


def unordered(function: Callable[..., Any], calls: Sequence[tuple[Any, ...]], jobs: int, backend: str = "loky",
              scheduler: str = "") -> Iterator[Any]:
    """function(*call) for each call, in worker processes, as they finish.

    backend 'dask': on the cluster whose scheduler has this address, or on a local one of `jobs` processes.
    UserError: an unknown or missing backend, no scheduler there, a worker that died.
    """
    if backend not in BACKENDS:
        raise UserError(f"backend is {backend!r}; use {' or '.join(BACKENDS)}")
    if scheduler and backend != "dask":
        raise UserError(f"a scheduler is given and the backend is {backend!r}; use --backend dask")
    return _dask(function, calls, jobs, scheduler) if backend == "dask" else _loky(function, calls, jobs)


def _loky(function: Callable[..., Any], calls: Sequence[tuple[Any, ...]], jobs: int) -> Iterator[Any]:
    from joblib import Parallel, delayed, parallel_config
    from joblib.externals.loky.process_executor import BrokenProcessPool

    # workers of a process that was killed outright leave when they have been idle for a while
    with parallel_config(backend="loky", inner_max_num_threads=1, idle_worker_timeout=30):
        parallel = Parallel(n_jobs=jobs, return_as="generator_unordered", batch_size=1)
    warnings.filterwarnings("ignore", r"\d+ tasks (which were still|have been)")  # said better on Ctrl-C
    with _deferring_interrupts():
        results = parallel(delayed(function)(*call) for call in calls)
    try:
        yield from results
    except BrokenProcessPool as error:
        reason = " ".join(str(error).split())[:160]
        raise UserError(f"a worker process died, out of memory perhaps ({reason}); try --jobs 1") from None
    finally:
        results.close()  # kills the workers, if there is work left


def _dask(function: Callable[..., Any], calls: Sequence[tuple[Any, ...]], jobs: int, scheduler: str) -> Iterator[Any]:
    from joblib import Parallel, delayed, parallel_config

    with _client(jobs, scheduler), parallel_config(backend="dask"):
        parallel = Parallel(n_jobs=-1, return_as="generator_unordered", batch_size=1)
        results = parallel(delayed(function)(*call) for call in calls)
        try:
            yield from results
        finally:
            results.close()


def _client(jobs: int, scheduler: str) -> Any:
    try:
        from distributed import Client
    except ImportError:
        raise UserError("the backend dask needs Dask: pip install 'samplingtheory[dask]'") from None
    if not scheduler:
        return Client(n_workers=jobs, threads_per_worker=1, dashboard_address=None)
    try:
        return Client(scheduler, timeout=10)
    except (OSError, ValueError, TimeoutError) as error:
        reason = " ".join(str(error).split())[:160]
        raise UserError(f"no Dask scheduler answers at {scheduler!r} ({reason}); give an address such as "
                        "tcp://host:8786") from None


@contextmanager
def _deferring_interrupts() -> Iterator[None]:
    """Ctrl-C waits, and processes started in here never see it: a terminal sends it to all, the parent answers."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    from multiprocessing.resource_tracker import ensure_running

    ensure_running()  # started in here, it would lift the block (Python < 3.13)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
