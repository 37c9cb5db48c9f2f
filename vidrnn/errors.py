"""The errors that vidrnn raises on purpose.

VidrnnError
├── UsageError     the request is impossible (exit code 2)
├── FilmError      one film cannot be read, or holds no usable frame
│   └── OutOfMemoryError   memory ran out while it was read: the film may be whole
├── DataError      the films cannot be used for training or scoring as they are
├── ModelError     a model folder is damaged, of another program or too new
├── WeightsError   pretrained weights are not available
├── TrainingError  a training does not give finite numbers, and there is no model to keep
├── ExportError    a model cannot be exported, or the exported model gives other results
├── OutputError    results cannot be written to their place
└── RunError       a run folder cannot be created, written or resumed

Each message is a sentence for a person. It names the operation, the file, the problem and a remedy.
"""

import errno

_SHORTAGES = ("not enough memory", "insufficient memory", "failed to allocate", "bad_alloc", "out of memory")
"""What torch, onnxruntime, OpenCV and CUDA say in lower case where memory runs out; each has an error of its own."""


class VidrnnError(Exception):
    """The base class. The user sees its text."""


class UsageError(VidrnnError):
    """The request is impossible: a wrong flag, or flags that contradict each other."""


class FilmError(VidrnnError):
    """One film cannot be read, or holds no usable frame."""


class OutOfMemoryError(FilmError):
    """Memory ran out while a film was read. It says nothing of the film, which can be read again later."""


class DataError(VidrnnError):
    """The films cannot be used for training or scoring as they are."""


class ModelError(VidrnnError):
    """A model folder is missing, damaged, of another program or newer than this vidrnn."""


class WeightsError(VidrnnError):
    """Pretrained weights cannot be found or downloaded, or do not fit the network."""


class RunError(VidrnnError):
    """A run folder cannot be created, written or resumed."""


class TrainingError(VidrnnError):
    """The numbers of a training are not finite any more, and it has no earlier weights to keep."""


class ProcessError(VidrnnError):
    """Another process of the same training ended, or cannot be reached."""


class ExportError(VidrnnError):
    """A model cannot be exported, or the exported model gives other results than the model."""


class OutputError(VidrnnError):
    """Results cannot be written: no space, no permission, or another process is writing them."""


def first_line(error: Exception) -> str:
    """The first line of what a library says of its error, without a stop at its end; else the name of its kind."""
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".:") if lines else type(error).__name__


def fault_clause(error: Exception) -> str:
    """The clause for a film that a fault of vidrnn, or of a library, cost, after its path."""
    return f"vidrnn failed on it: {type(error).__name__}: {' '.join(str(error).split())}"


SHORT_OF_MEMORY = (
    "memory ran out while it was read. The video may be whole. Use fewer --jobs or close other programs, and give the "
    "same command again."
)
"""The clause for a film, after its path."""


def is_memory_shortage(error: BaseException) -> bool:
    """Whether an error says that memory ran out. That is the machine's trouble of the moment, and no film's damage."""
    if isinstance(error, MemoryError | OutOfMemoryError):
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    if isinstance(error, VidrnnError):
        return False  # its text may hold a name such as "out of memory.mp4"
    return any(words in str(error).lower() for words in _SHORTAGES)
