"""Work that overlaps: a thread makes the next items of a stream while the caller is busy with the ones before."""

from collections.abc import Generator
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Semaphore, Thread
from typing import TypeVar

__all__ = ["ahead"]

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class _End:
    """The last thing a thread says."""

    error: BaseException | None = None


def ahead(stream: Generator[Item], depth: int) -> Generator[Item]:
    """Give the items of a stream, which a thread of its own makes in advance; order and errors stay as they are.

    Worth it where the work lets other threads run, as decoding, onnxruntime and torch do. When the caller closes the
    generator or is interrupted, the thread finishes the item in hand, and the stream is closed.

    Args:
        depth: Most items that are made and not yet taken, so that memory stays flat.
    """
    ready: SimpleQueue[Item | _End] = SimpleQueue()
    room = Semaphore(depth)
    stopped = False

    def make() -> None:
        try:
            while room.acquire() and not stopped:
                ready.put(next(stream))
        except StopIteration:
            ready.put(_End())
        except BaseException as error:
            ready.put(_End(error))
        finally:
            stream.close()

    # A caller that never ends the generator must not keep the program from ending.
    thread = Thread(target=make, daemon=True)
    thread.start()
    try:
        while not isinstance(item := ready.get(), _End):
            room.release()
            yield item
        if item.error is not None:
            raise item.error
    finally:
        stopped = True
        room.release()
        thread.join()
