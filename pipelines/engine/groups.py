"""Group the videos that share a shard."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

OWN_GROUP_FRAMES = 500
"""A video with at least this many planned frames is a shard of its own."""


def group_videos(planned: Mapping[str, int], buckets: int) -> dict[str, list[str]]:
    """Sort videos into groups by their own ids.

    The group of a video depends on no other video, so adding videos moves none of the others.

    Args:
        planned: video id → its planned frames (clips × segments × candidates).
        buckets: number of buckets that the small videos share.

    Returns:
        Group name → its video ids, both sorted. A name 'v…' is one video, 'b…' a bucket.
    """
    groups: dict[str, list[str]] = {}
    for video_id in sorted(planned):
        digest = hashlib.sha256(video_id.encode()).hexdigest()
        own = planned[video_id] >= OWN_GROUP_FRAMES
        name = f"v{digest[:16]}" if own else f"b{int(digest, 16) % buckets:04d}"
        groups.setdefault(name, []).append(video_id)
    return dict(sorted(groups.items()))
