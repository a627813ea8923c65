"""Do people keep their ids, and is nobody missed? `python -m benchmarks.who_is_who` looks at made clips of people.

People meet once in each clip: they walk past each other, turn back, one leaves and returns, or one leaves and somebody
else comes. A clip is wrong if anybody's id is another one after the meeting than before, or somebody else's; clips in
which somebody isn't seen clear of the others on a side of the meeting say nothing and aren't judged. Then people come
in one after the other: who is found later than by searching every frame, and by how much? The clips are those of
`benchmarks.people_clips`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import tyro

from benchmarks.people_clips import KINDS, Kind, MadeFrame, arrival, made_clip, meeting
from facskit.faces.appearance import appearance
from facskit.faces.detectors import FOR_VIDEO, build_detector
from facskit.faces.face_following import FaceFollower, FollowingConfig
from facskit.faces.tracking import FaceTracker, Track, TrackerConfig
from facskit.tables import TextTable

FOUND_WITHIN = 0.5
"""Seconds within which whoever comes in should be found, counted from when searching every frame finds them."""
SURELY_FOUND = 5
"""Frames on which searching every frame finds somebody, at the least, to count."""


@dataclass(frozen=True, kw_only=True)
class WhoIsWho:
    """How many clips, and how faces are followed."""

    kinds: tuple[Kind, ...] = KINDS
    """What happens in the clips."""
    clips: int = 20
    """Clips of each kind."""
    first: int = 0
    """Seed of the first clip of each kind."""
    arrivals: int = 20
    """Clips in which people come in one after the other."""
    tracking: TrackerConfig = field(default_factory=TrackerConfig)
    """When two faces are the same."""
    following: FollowingConfig = field(default_factory=FollowingConfig)
    """How often the whole picture is searched."""


Sighting = dict[int, int]
"""The id of each person who is found in a frame."""


def main(config: WhoIsWho) -> None:
    """Measure and print both tables."""
    rows = []
    for kind in config.kinds:
        judged, wrong = 0, []
        for seed in range(config.first, config.first + config.clips):
            verdict = _is_wrong(kind, made_clip(meeting(kind, seed), seed), config)
            judged += verdict is not None
            if verdict:
                wrong.append(str(seed))
        rows.append((kind, str(config.clips), str(judged), str(len(wrong)), " ".join(wrong)))
    table = TextTable(
        title="Ids after a meeting",
        header=("what happens", "clips", "judged", "wrong ids", "seeds of the wrong ones"),
        rows=tuple(rows),
        more_text={4},
    )
    print(table.to_markdown())
    late: list[float] = []
    for seed in range(config.arrivals):
        late += _delays(seed, config)
    if late:
        in_time = sum(delay <= FOUND_WITHIN for delay in late)
        found = [delay for delay in late if np.isfinite(delay)]
        print(f"Found within {FOUND_WITHIN:g} s of searching every frame: {in_time} of {len(late)} who came in.")
        print(f"Never found: {len(late) - len(found)}; the latest of the others {max(found):.2f} s.")


def _is_wrong(kind: Kind, clip: Iterable[MadeFrame], config: WhoIsWho) -> bool | None:
    """Tell whether an id changed in the middle of a clip, or is two people's; None if somebody isn't seen there."""
    frames = _look(clip, config.following, config.tracking)
    before: Sighting = {}
    after: Sighting = {}
    for number, (_, seen) in enumerate(frames):
        if number < len(frames) // 2:
            before = seen | before
        else:
            after = after | seen
    leaves, comes = ({0}, {2}) if kind == "another comes" else (set(), set())
    people = {0, 1} | comes
    if not (people - comes <= before.keys() and people - leaves <= after.keys()):
        return None
    changed = any(before[who] != after[who] for who in people - leaves - comes)
    ids = before | after
    return changed or len(set(ids.values())) < len(ids)


def _delays(seed: int, config: WhoIsWho) -> list[float]:
    """Return by how many seconds each person is found later than by searching every frame; infinity for never.

    Whom that finds on fewer than `SURELY_FOUND` frames is left out: such a face is at the limit of the detector.
    """
    times: list[dict[int, list[float]]] = []
    for following in (FollowingConfig(search_every=0.0), config.following):
        found: dict[int, list[float]] = {}
        for time, seen in _look(made_clip(arrival(seed), seed), following, config.tracking, clear=False):
            for person in seen:
                found.setdefault(person, []).append(time)
        times.append(found)
    searched, followed = times
    surely = [person for person, found in searched.items() if len(found) >= SURELY_FOUND]
    return [followed.get(person, [np.inf])[0] - searched[person][0] for person in surely]


def _look(
    clip: Iterable[MadeFrame], following: FollowingConfig, tracking: TrackerConfig, *, clear: bool = True
) -> list[tuple[float, Sighting]]:
    """Return the time of each frame, and the ids of the people in it, or of those who stand clear of the others."""
    follower, tracker = FaceFollower(build_detector(FOR_VIDEO), following), FaceTracker(tracking)
    seen: list[tuple[float, dict[int, Track]]] = []
    for frame in clip:
        faces = follower.find(frame.image, frame.timestamp)
        tracks = tracker.update(faces, frame.timestamp, [appearance(frame.image, face) for face in faces])
        known: dict[int, Track] = {}
        for face, track in zip(faces, tracks, strict=True):
            who = frame.whose(face.box)
            if who is not None and (frame.clear(who) or not clear):
                known[who] = track
        seen.append((frame.timestamp, known))
    tracker.settle()
    return [(time, {who: _settled(track) for who, track in found.items()}) for time, found in seen]


def _settled(track: Track) -> int:
    assert track.face_id is not None
    return track.face_id


if __name__ == "__main__":
    main(tyro.cli(WhoIsWho))
