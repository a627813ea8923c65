"""The angles of a face: pose of the head and gaze, in degrees.

Pose is OpenFace's: pitch is positive for a face that looks down, yaw for one turned to the subject's right, roll for
one whose top leans to the picture's right. Gaze is relative to the head: up, and to the subject's left.
"""

__all__ = ["ANGLES", "MIRRORED_ANGLES"]

ANGLES = ("pose_pitch", "pose_yaw", "pose_roll", "gaze_pitch", "gaze_yaw")
"""Their order wherever they stand together."""
MIRRORED_ANGLES = (1, -1, -1, 1, -1)
"""What a mirror does to each."""
