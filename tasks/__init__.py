"""One repeatable effect each, with its retries, its timeout and no cache."""
