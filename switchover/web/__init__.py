"""The web service: flags asked over HTTP."""
