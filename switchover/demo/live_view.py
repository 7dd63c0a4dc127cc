"""Progress on a terminal: drawn anew several times a second."""
from __future__ import annotations
from switchover.demo.plain_view import PlainView
class LiveView(PlainView):
    pass
