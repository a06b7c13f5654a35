"""Eight rows a minute apart, which tests write in many shapes."""

from __future__ import annotations

HEADER = "timestamp,current,voltage,soc\n"
TITLES = HEADER.strip().split(",")
ROWS = [f"2024-05-07T09:{i:02}:00Z,15,51,{60 + i}" for i in range(8)]
CELLS = [row.split(",") for row in ROWS]
OBJECTS = [dict(zip(TITLES, row, strict=True)) for row in CELLS]
TABLE = HEADER + "\n".join(ROWS) + "\n"
START_US = 1_715_072_400_000_000
