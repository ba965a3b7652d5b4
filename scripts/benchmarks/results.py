"""The results file, a JSON line per comparison, and its latest lines as a table."""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

_HEAD = (
    "| benchmark | case | against | ours ms | its ms | ratio (quartiles) | least "
    "| ours MiB | its MiB | reach | reached |",
    "|---|---|---|---:|---:|---|---:|---:|---:|---|---|",
)


def append(path: Path, record: Mapping[str, Any]) -> None:
    """Adds a line in one write, so that readers and other writers see no part of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    line = (json.dumps(record, allow_nan=False) + "\n").encode()
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    try:
        written = os.write(handle, line)
        if written != len(line):
            os.ftruncate(handle, os.fstat(handle).st_size - written)
            raise OSError(f"{path}: the disk took {written} of {len(line)} bytes")
    finally:
        os.close(handle)


def read(paths: Iterable[Path]) -> list[dict[str, Any]]:
    """Returns all records of these files, in order."""
    return [json.loads(line) for path in paths for line in path.read_text().splitlines()]


def keep_latest(records: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Returns the last record of each backend, device, benchmark, case and peer."""
    latest: dict[tuple, Mapping[str, Any]] = {}
    for record in sorted(records, key=lambda record: record["date"]):
        key = ("backend", "device", "benchmark", "case", "peer")
        latest[tuple(str(record[name]) for name in key)] = record
    return [latest[key] for key in sorted(latest)]


def table(records: Iterable[Mapping[str, Any]]) -> str:
    """Returns Markdown: of each backend and device the provenance, then the rows."""
    lines: list[str] = []
    section = None
    for record in keep_latest(records):
        if section != (record["backend"], record["device"]):
            section = (record["backend"], record["device"])
            lines += ["", f"### {record['backend']}, {record['device']}", ""]
            same = [r for r in keep_latest(records) if (r["backend"], r["device"]) == section]
            lines += [*provenance(same), "", *_HEAD]
        lines.append(_row(record))
    return "\n".join(lines).strip()


def provenance(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """Returns dates, machines, versions and commands of some records, each said once."""

    def each(texts: Iterable[str]) -> str:
        return "; ".join(dict.fromkeys(texts))

    machines = [{**r["machine"], **r["machine"]["threads"]} for r in records]
    versions = [f"{name} {version}" for r in records for name, version in r["versions"].items()]
    return [
        f"- Date: {each(r['date'][:10] for r in records)}",
        f"- Machine: {each(map(_pairs, machines))}",
        f"- Versions: {', '.join(dict.fromkeys(versions))}",
        f"- Switches: {each(_pairs(r['switches']) or 'none' for r in records)}",
        *dict.fromkeys(f"- Command: `{r['command']}`" for r in records),
    ]


def _pairs(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items() if name != "threads")


def _row(record: Mapping[str, Any]) -> str:
    ours, peer, ratio = record["ours"], record["peer_measured"], record["ratio"]
    cells = [
        record["benchmark"],
        record["case"],
        record["peer"] or "",
        f"{ours['milliseconds']['median']:.3g}",
        f"{peer['milliseconds']['median']:.3g}" if peer else "",
        f"{ratio['median']:.2f} ({quartiles(ratio)})" if ratio else "",
        f"{ratio['minimum']:.2f}" if ratio else "",
        mebibytes(ours),
        mebibytes(peer) if peer else "",
        ", ".join(f"{what} {bound:.3g}" for what, bound in record["reach"].items()),
        ", ".join(
            ("yes" if judged["reached"] else f"no: {judged['measured']:.3g}")
            for judged in record["judged"].values()
        ),
    ]
    return f"| {' | '.join(cells)} |"


def quartiles(ratio: Mapping[str, float]) -> str:
    """Returns `lower-upper`."""
    return f"{ratio['lower_quartile']:.2f}-{ratio['upper_quartile']:.2f}"


def mebibytes(measured: Mapping[str, Any]) -> str:
    """Returns peak memory; an empty text if it was not measured."""
    return "" if measured["peak_mib"] is None else f"{measured['peak_mib']:.1f}"
