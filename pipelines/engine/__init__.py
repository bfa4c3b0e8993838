"""Parts that every stage uses: stage contract, shards, locks, digests, workspace."""
