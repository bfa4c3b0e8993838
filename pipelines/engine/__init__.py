"""What every stage is made of: the stage contract, shards, locks, digests and the workspace."""
