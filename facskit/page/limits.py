"""What the page takes at most: whoever serves others decides it, and everybody gets a sentence instead of a crash."""

from dataclasses import dataclass

__all__ = ["Limits"]


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits of one server; the defaults suit one person at their own machine."""

    max_megabytes: float = 500.0
    """Size of an upload."""
    max_megapixels: float = 50.0
    """Pixels of a photograph, or of a video's frame."""
    max_minutes: float = 20.0
    """Length of a video."""
    queue: int = 8
    """Uploads that wait while one is worked on."""
    keep_minutes: float = 30.0
    """How long results are kept; a page that is closed deletes its own at once."""
    max_kept_megabytes: float = 1000.0
    """Size of all results together; the oldest make room for later ones."""
    webcams: int = 2
    """Pictures of webcams that are looked at or wait at the same time."""

    def __post_init__(self) -> None:
        """Check every limit."""
        for name in ("max_megabytes", "max_megapixels", "max_minutes", "keep_minutes", "max_kept_megabytes"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")
        for name in ("queue", "webcams"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
