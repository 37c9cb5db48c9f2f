"""Everything vidrnn raises on purpose.

VidrnnError
├── UsageError     the request itself cannot be met (exit code 2)
├── FilmError      one film cannot be read, or holds nothing to use
├── DataError      labelled films cannot be trained or scored as they are
├── ModelError     a model folder is damaged, foreign or too new
├── WeightsError   pretrained weights cannot be had
├── ExportError    a model has no portable form, or one that answers otherwise
├── OutputError    results cannot be written where they are wanted
└── RunError       a run folder cannot be made, written or resumed

Each message is a sentence for a person: what was tried, on what, what was found, what would work.
"""


class VidrnnError(Exception):
    """The root of the family; its text is shown to the user as it stands."""


class UsageError(VidrnnError):
    """The request itself cannot be met: a wrong flag, or flags that contradict each other."""


class FilmError(VidrnnError):
    """One film cannot be read, or holds nothing to use."""


class DataError(VidrnnError):
    """Labelled films cannot be trained or scored as they are."""


class ModelError(VidrnnError):
    """A model folder is missing, damaged, foreign or newer than this vidrnn."""


class WeightsError(VidrnnError):
    """Pretrained weights cannot be found, downloaded or fitted."""


class RunError(VidrnnError):
    """A run folder cannot be made, written or resumed."""


class ExportError(VidrnnError):
    """A model cannot be written in a portable form, or what was written does not answer as the model does."""


class OutputError(VidrnnError):
    """Results cannot be written where they are wanted: no room, no right to, or somebody else is at it."""
