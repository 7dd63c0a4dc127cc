"""What the tables of switchover.toml are made of: their common ground, and the kinds of their values."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
Seconds = Annotated[float, Field(ge=0, le=7 * 24 * 3600)]
Percent = Annotated[int, Field(ge=1, le=100)]
Share = Annotated[float, Field(gt=0, lt=1)]
VariableName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
HttpPath = Annotated[str, Field(pattern=r"^/\S*$")]
Event = Literal["live", "rolled back"]


class Section(BaseModel):
    """A table of the file: unknown keys are refused, values are frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True)
