"""switchover: release a monorepo, bring it live blue-green, and take it back by itself when it is bad."""
