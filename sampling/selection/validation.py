"""Trying the tests of code prompts on the dataset's own solutions, in the sandbox, a batch at a time."""

from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING

from fusechat.errors import BadInput
from sampling.selection.drafts import Draft
from sampling.selection.settings import ValidationSettings

if TYPE_CHECKING:
    from fusechat.sandbox import Sandbox


class Validator:
    """Runs solutions isolated, never unprotected; the sandbox starts with the first batch and is kept."""

    def __init__(self, settings: ValidationSettings, workers: int) -> None:
        self.settings, self.workers = settings, workers
        self._sandbox: Sandbox | None = None

    def __enter__(self) -> "Validator":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._sandbox is not None:
            self._sandbox.close()
            self._sandbox = None

    def failing_reasons(self, drafts: Sequence[Draft]) -> list[str | None]:
        """None for each draft whose solution passes all its tests, else what went wrong.

        BadInput where this machine cannot isolate code.
        """
        from fusechat.sandbox import Case, CodeTests, Limits, Sandbox, Unavailable

        if self._sandbox is None:
            try:
                self._sandbox = Sandbox(workers=self.workers, quiet=True)
            except Unavailable as error:
                raise BadInput(
                    f"the datasets' solutions cannot be run isolated here: {error}. Run the selection where they can, "
                    "or set `validation: {enabled: false}` in a copy of the settings and keep the tests untried"
                ) from None
        seconds = self.settings.timeout_s
        limits = Limits(wall_s=seconds, cpu_s=seconds, load_s=min(seconds, 5.0))
        cases = [
            Case(str(position), (draft.reference_code or "",), CodeTests.of(draft.prompt.tests), limits)
            for position, draft in enumerate(drafts)
        ]
        reasons: list[str | None] = ["the sandbox gave no verdict"] * len(cases)
        for verdict in self._sandbox.judge_all(cases):
            told = verdict.verdict if verdict.reason is None else f"{verdict.verdict}: {verdict.reason}"
            reasons[int(verdict.case_id)] = None if verdict.passed else told
        return reasons
