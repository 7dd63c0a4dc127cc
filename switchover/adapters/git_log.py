"""Reading the commits of a history, each once, and dividing them by the points since which they count."""

from __future__ import annotations

from collections.abc import Iterator

from switchover.adapters.git_program import GitProgram, answers, run
from switchover.decide.versions import Commit

# Begins a record; no line of a message and hardly a file name begins with it.
RECORD = "\x01"
_SHAPE = ("-z", "--name-only", "--no-renames", "--relative", "--format=%x01%H%x00%B%x00")


def read_commits_since(program: GitProgram, points: tuple[str, ...]) -> dict[str, tuple[Commit, ...]]:
    """For each point (a tag or the hash of a commit; empty: the beginning) the commits of HEAD after it, newest first.

    However many points there are, no commit is read twice.
    """
    distinct = tuple(dict.fromkeys(points))
    if not distinct:
        return {}
    if len(distinct) == 1:
        reach = f"{_name(distinct[0])}..HEAD" if distinct[0] else "HEAD"
        return {distinct[0]: _read(program, reach)}
    named = tuple(point for point in distinct if point)
    reached = _spread(program, named, bounded="" not in distinct)
    everything = (1 << len(named)) - 1
    if "" in distinct:
        commits = _read(program, "HEAD")
    else:
        needed = [sha for sha, bits in reached.items() if bits != everything]
        commits = _read(program, "--no-walk=unsorted", "--stdin", text="\n".join(needed)) if needed else ()
    divided = _divide(commits, [reached[commit.sha] for commit in commits], len(named))
    return ({"": commits} if "" in distinct else {}) | dict(zip(named, divided, strict=True))


def _divide(commits: tuple[Commit, ...], reached: list[int], count: int) -> list[tuple[Commit, ...]]:
    """For each point the commits without its bit. Where they are the first ones, which is usual, that is a slice."""
    first, last = [len(commits)] * count, [-1] * count
    found = 0
    for at, bits in enumerate(reached):
        for bit in _list_bits(bits & ~found):
            first[bit] = at
        found |= bits
    missing = 0
    everything = (1 << count) - 1
    for at in range(len(commits) - 1, -1, -1):
        for bit in _list_bits(everything & ~reached[at] & ~missing):
            last[bit] = at
        missing |= everything & ~reached[at]
    return [
        commits[: first[bit]]
        if last[bit] < first[bit]
        else tuple(commit for commit, bits in zip(commits, reached, strict=True) if not bits >> bit & 1)
        for bit in range(count)
    ]


def _list_bits(bits: int) -> Iterator[int]:
    while bits:
        lowest = bits & -bits
        yield lowest.bit_length() - 1
        bits ^= lowest


def find_trailers(program: GitProgram, token: str) -> dict[str, str]:
    """The newest commit of HEAD for each value of `token: value` as a line of its message."""
    found: dict[str, str] = {}
    for commit in _split(run(program, "log", "-z", f"--grep=^{token}: ", "--format=%x01%H%x00%B%x00", "HEAD", "--")):
        for line in commit.message.splitlines():
            name, _, value = line.partition(": ")
            if name == token:
                found.setdefault(value, commit.sha)
    return found


def read_adding_commits(program: GitProgram, paths: tuple[str, ...]) -> dict[str, str]:
    """For each committed path the hash of the commit that added it last."""
    if not paths:
        return {}
    found: dict[str, str] = {}
    shape = ("-z", "--name-only", "--no-renames", "--relative", "--format=%x01%H%x00%x00", "--diff-filter=A")
    wanted = set(paths)
    for commit in _split(run(program, "log", *shape, "HEAD", "--", *_find_folders(paths))):
        for path in wanted.intersection(commit.paths):
            found.setdefault(path, commit.sha)
    return found


def _find_folders(paths: tuple[str, ...]) -> tuple[str, ...]:
    """Git compares a folder at once, and a hundred files one by one."""
    return tuple(dict.fromkeys(path.rpartition("/")[0] or path for path in paths))


def _name(point: str) -> str:
    is_hash = len(point) >= 40 and all(character in "0123456789abcdef" for character in point)  # noqa: PLR2004 - of SHA-1
    return point if is_hash else f"refs/tags/{point}"


def _read(program: GitProgram, *reach: str, text: str | None = None) -> tuple[Commit, ...]:
    return tuple(_split(run(program, "log", *_SHAPE, *reach, "--", text=text)))


def _split(text: str) -> Iterator[Commit]:
    records: list[list[str]] = []
    for part in text.split("\0"):
        if part.startswith(RECORD):
            records.append([part.removeprefix(RECORD)])
        elif records:
            records[-1].append(part)
    for sha, message, *paths in records:
        yield Commit(sha, message, tuple(path.removeprefix("\n") for path in paths if path.strip("\n")))


def _spread(program: GitProgram, points: tuple[str, ...], *, bounded: bool) -> dict[str, int]:
    """For each commit of HEAD, children first, a bit for each point that contains it.

    `bounded`: without those that all points contain, as far as that is easily known.
    """
    shas = run(program, "rev-parse", *(f"{_name(point)}^{{commit}}" for point in points)).splitlines()
    reached: dict[str, int] = {}
    for bit, sha in enumerate(shas):
        reached[sha] = reached.get(sha, 0) | 1 << bit
    common = answers(program, "merge-base", "--octopus", *dict.fromkeys(shas)) if bounded else ""
    reach = ["HEAD", f"^{common}"] if common else ["HEAD"]
    ordered: dict[str, int] = {}
    for line in run(program, "rev-list", "--topo-order", "--parents", *reach).splitlines():
        sha, *parents = line.split(" ")
        bits = reached.get(sha, 0)
        ordered[sha] = bits
        if bits:
            for parent in parents:
                reached[parent] = reached.get(parent, 0) | bits
    return ordered
