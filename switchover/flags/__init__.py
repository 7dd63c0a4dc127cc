"""Feature flags: asked in well under a microsecond, changed everywhere within milliseconds.

`open_client` is where an application begins; `docs/feature-flags.md` is the five-minute start.
"""
