"""The use cases on ports: no vendor, no Prefect. Flows, the command line and the watchdog all call these."""
