"""What Prefect runs: `release`, `deploy`, `rollback`. Use module entrypoints (`flows.deploy.deploy`)."""
