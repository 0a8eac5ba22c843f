"""The table at the end of a selection: read, kept, dropped by reason, for every dataset."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass
class DatasetFigures:
    """What became of one dataset's rows; read == kept + all that was dropped."""

    read: int = 0
    kept: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    extra: dict[str, int] = field(default_factory=dict)

    def as_dict(self) -> dict[str, object]:
        """For the sidecar."""
        return {
            "read": self.read,
            "kept": self.kept,
            "dropped": dict(sorted(self.dropped.items())),
            **self.extra,
        }


def table(figures: Mapping[str, DatasetFigures]) -> str:
    """The figures as text: a line per dataset, its reasons under it, and the totals."""
    width = max([len(name) for name in figures] + [len("total")])
    lines = [f"{'dataset':<{width}}  {'read':>10}  {'kept':>10}  {'dropped':>10}"]
    for name, dataset in figures.items():
        dropped = sum(dataset.dropped.values())
        lines.append(f"{name:<{width}}  {dataset.read:>10,}  {dataset.kept:>10,}  {dropped:>10,}")
        for reason, count in sorted(dataset.dropped.items(), key=lambda item: (-item[1], item[0])):
            lines.append(f"{'':<{width}}  {'':>10}  {'':>10}  {count:>10,}  {reason}")
        for what, count in dataset.extra.items():
            lines.append(f"{'':<{width}}  {'':>10}  {count:>10,}  {what.replace('_', ' ')}")
    read, kept = sum(item.read for item in figures.values()), sum(item.kept for item in figures.values())
    lines.append(f"{'total':<{width}}  {read:>10,}  {kept:>10,}  {read - kept:>10,}")
    return "\n".join(lines)
