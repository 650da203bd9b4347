"""One event loop, in a thread of its own, on which all requests to remote stores run.

Blocking callers from any thread hand their work to it; callers on another event loop await it. One
loop means one set of limits and no loop per call. The loop belongs to the process that made it: the
client library's own threads do not survive a fork, so a forked child gets a named error, at once,
where it would otherwise wait for ever.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
import time
from collections.abc import Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from virtualizarr.errors import SourceError

MAX_REQUESTS = 256
MAX_BATCHES = 24
_THREADS = 64
_FAREWELL = 0.05  # seconds


class BackgroundLoop:
    """An event loop that is started when first needed, and anew in a child process.

    `slots` and `batches` bound what is in flight for all sources together; they are acquired on
    this loop only.
    """

    slots: asyncio.Semaphore
    batches: asyncio.Semaphore

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._orphaned = False

    def run[T](self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` to its end and return its result; blocks. An interrupt cancels the work."""
        future = self._submit(work)
        try:
            return future.result()
        except BaseException:  # also an interrupt
            future.cancel()
            raise

    async def run_async[T](self, work: Coroutine[Any, Any, T]) -> T:
        """Await `work`, from any event loop."""
        if self._thread is threading.current_thread():
            return await work
        return await asyncio.wrap_future(self._submit(work))

    def forked(self) -> None:
        """Forget the parent's loop; called in a child process right after a fork."""
        self._orphaned = self._orphaned or self._loop is not None
        self._lock = threading.Lock()
        self._loop = None
        self._thread = None

    def stop(self) -> bool:
        """Stop and close the loop; the next call starts another. False where there was none."""
        with self._lock:
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop is not None and thread is not None:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
        return loop is not None

    def start(self) -> asyncio.AbstractEventLoop:
        """Return the running loop. Raises `SourceError` in a child forked after it was used."""
        with self._lock:
            if self._orphaned:
                raise SourceError(
                    "this process was forked from one that had already used remote stores, whose"
                    " client does not survive a fork; start workers with the 'spawn' or"
                    " 'forkserver' method of multiprocessing, or use threads"
                )
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self.slots = asyncio.Semaphore(MAX_REQUESTS)
                self.batches = asyncio.Semaphore(MAX_BATCHES)
                self._thread = threading.Thread(
                    target=_serve, args=(self._loop,), name="virtualizarr-requests", daemon=True
                )
                self._thread.start()
            return self._loop

    def _submit[T](self, work: Coroutine[Any, Any, T]) -> Future[T]:
        try:
            loop = self.start()
            if self._thread is threading.current_thread():
                raise SourceError("a blocking read was made on the event loop of the requests")
        except SourceError:
            work.close()
            raise
        return asyncio.run_coroutine_threadsafe(work, loop)


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="virtualizarr-store")
    loop.set_default_executor(pool)
    try:
        loop.run_forever()
    finally:
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        pool.shutdown(wait=False, cancel_futures=True)
        loop.close()


def _leave() -> None:
    """Stop the loop, and give the client's own threads a moment to let go of their last answer.

    They may need the interpreter for that, and abort the process if it is gone: of scripts that end
    right after a request, one in eight did on a busy machine.
    """
    if REQUESTS.stop():
        time.sleep(_FAREWELL)


REQUESTS = BackgroundLoop()
atexit.register(_leave)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=REQUESTS.forked)
