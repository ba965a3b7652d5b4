"""What a task finds in a user's data, and says before it trains."""

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

_NAMED = 8  # classes, files or values that a sentence names


@dataclass
class Findings:
    """Sentences about data, in the order in which they were found.

    Attributes:
        facts: what there is.
        warnings: what may make a model worse than it seems, or its score better.
    """

    facts: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def add(self, fact: str) -> None:
        """Adds what there is."""
        self.facts.append(fact)

    def warn(self, warning: str) -> None:
        """Adds what the user should know."""
        self.warnings.append(warning)

    def __str__(self) -> str:
        return "\n".join([*self.facts, *(f"Note: {warning}" for warning in self.warnings)])


def name_some(names: Iterable[object]) -> str:
    """Returns the first names of many, and how many more there are."""
    names = list(names)
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return ", ".join(map(str, names[:_NAMED])) + more


def add_classes(findings: Findings, labels: Sequence[str]) -> None:
    """Adds the classes of labels, those with the most rows first, with their counts."""
    counts = Counter(labels).most_common()
    findings.add(f"Classes: {name_some(f'{name} ({count:,})' for name, count in counts)}")
    spellings: dict[str, set[str]] = {}
    for name, _ in counts:
        spellings.setdefault(name.casefold(), set()).add(name)
    alike = [sorted(names) for names in spellings.values() if len(names) > 1]
    if alike:
        some = name_some(" and ".join(map(repr, names)) for names in alike)
        findings.warn(f"Classes that differ in upper case alone are classes of their own: {some}.")
    if len(counts) > 1 and counts[-1][1] * 10 < counts[0][1]:
        share = counts[0][1] / len(labels)
        findings.warn(
            f"The classes are of unequal size: to say {counts[0][0]!r} always is right in "
            f"{share:.1%} of the rows, which is what accuracy has to be compared with."
        )


def add_lengths(findings: Findings, lengths: Sequence[int], what: str) -> None:
    """Adds how long rows are: the median, that of 19 in 20, and the longest, of `what`."""
    middle, most, longest = np.percentile(lengths, [50, 95, 100]).astype(int)
    findings.add(
        f"Lengths: {middle:,} {what} in the middle, 19 of 20 up to {most:,}, at most {longest:,}"
    )


def add_duplicates(
    findings: Findings, keys: Sequence[Hashable], labels: Sequence[Hashable]
) -> None:
    """Adds how many rows have an input that was there before, and whether labels contradict."""
    seen: dict[Hashable, set[Hashable]] = {}
    for key, label in zip(keys, labels, strict=True):
        seen.setdefault(key, set()).add(label)
    repeated = len(keys) - len(seen)
    if not repeated:
        return
    contradictions = sum(len(each) > 1 for each in seen.values())
    findings.warn(
        f"{repeated:,} of {len(keys):,} rows repeat an earlier one; those alike stay in one part."
        + (f" {contradictions:,} inputs have labels that differ." if contradictions else "")
    )


def add_leakage(findings: Findings, train: Iterable[Hashable], test: Sequence[Hashable]) -> None:
    """Adds how many rows of the test data were trained on as well."""
    known = set(train)
    common = sum(key in known for key in test)
    if common:
        findings.warn(
            f"{common:,} of {len(test):,} rows of the test data are in the training data too: the "
            "score is better than that on new data."
        )
