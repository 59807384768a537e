from typing import Any

from django.contrib import admin
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from atelier.core.admin import QuickInline, QuickModelAdmin, ReadOnly
from etl.models import ImportFile, ImportRun

OUTCOMES = ("loaded", "updated", "unchanged", "duplicate", "rejected")


class ImportFileRows(ReadOnly, QuickInline):
    model = ImportFile
    fields = ("name", "lines", "account", "repaired", "refused")
    readonly_fields = fields
    verbose_name_plural = "files"

    def account(self, file: ImportFile) -> str:
        """The sum that has to come out, in one line."""
        parts = " + ".join(f"{getattr(file, name):,} {name}" for name in OUTCOMES)
        return f"{file.read:,} read = {parts}"

    @admin.display(description="repairs")
    def repaired(self, file: ImportFile) -> SafeString | str:
        return _by_kind(file.repairs)

    @admin.display(description="rejects")
    def refused(self, file: ImportFile) -> SafeString | str:
        return _by_kind(file.rejects)


@admin.register(ImportRun)
class ImportRunAdmin(ReadOnly, QuickModelAdmin):
    list_display = ("id", "command", "status", "started_at", "finished_at", "took")
    list_display_links = ("id", "command")
    search_help_text = "The id of a run"
    fields = (
        "command",
        "status",
        ("started_at", "finished_at", "took"),
        "read_from",
        "rejects_path",
        "error",
    )
    inlines = (ImportFileRows,)

    def took(self, run: ImportRun) -> str:
        if run.finished_at is None:
            return "-"
        return f"{(run.finished_at - run.started_at).total_seconds():,.1f} s"

    @admin.display(description="sources")
    def read_from(self, run: ImportRun) -> SafeString:
        return format_html_join("", "{}<br>", ((source,) for source in run.sources))


def _by_kind(numbers: dict[str, Any]) -> SafeString | str:
    """A number for each kind, the greatest first."""
    if not numbers:
        return "-"
    kinds = sorted(numbers.items(), key=lambda pair: (-_size(pair[1]), pair[0]))
    return format_html_join("", "{}: {}<br>", ((kind, f"{_size(n):,}") for kind, n in kinds))


def _size(number: Any) -> int:
    return number if isinstance(number, int) else len(number)
