"""What JavaScript takes for blank space and for the beginning of a line, where Python differs."""

from __future__ import annotations

BLANKS = (
    "\t\n\v\f\r \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000\ufeff"
)
LINE_START = r"(?:\A|(?<=[\n\r\u2028\u2029]))"
