"""The face detectors there are, and the settings with which facskit looks for faces unless told otherwise."""

from facskit.faces.centerface import CenterFace, CenterFaceConfig
from facskit.faces.detection import FaceDetector

__all__ = ["FOR_PHOTOGRAPHS", "FOR_VIDEO", "ONE_THREAD", "DetectorConfig", "build_detector"]

DetectorConfig = CenterFaceConfig
"""Settings of any detector: a union, as soon as there are two."""

FOR_PHOTOGRAPHS: DetectorConfig = CenterFaceConfig()
"""A thorough look."""
FOR_VIDEO: DetectorConfig = CenterFaceConfig(max_side=480, second_look=False)
"""A look at every frame, so at a lower resolution."""
ONE_THREAD: DetectorConfig = CenterFaceConfig(threads=1)
"""A thorough look in one of many processes."""


def build_detector(config: DetectorConfig) -> FaceDetector:
    """Build the detector that the settings are of."""
    match config:
        case CenterFaceConfig():
            return CenterFace(config)
