"""Assigns partitions as Faust does, and remembers topics that the broker did not know."""

from __future__ import annotations

from aiokafka.cluster import ClusterMetadata
from faust.assignor.partition_assignor import MemberAssignmentMapping, MemberMetadataMapping, PartitionAssignor


class WatchfulAssignor(PartitionAssignor):
    """The assignor, which runs at the group's leader.

    A broker that has just started may not know a topic for a moment. Faust leaves such a topic out, and the group would
    stay without its partitions for as long as nobody comes or goes.
    """

    #: Topics that were left out of the last assignment.
    missing: frozenset[str] = frozenset()

    def assign(self, cluster: ClusterMetadata, member_metadata: MemberMetadataMapping) -> MemberAssignmentMapping:
        """Assign the topics that the broker knows."""
        topics = {topic for member in member_metadata.values() for topic in member.subscription}
        self.missing = frozenset(topic for topic in topics if not cluster.partitions_for_topic(topic))
        return super().assign(cluster, member_metadata)
