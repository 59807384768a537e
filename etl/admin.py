import csv
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from django.contrib import admin
from django.contrib.admin import SimpleListFilter
from django.core.exceptions import PermissionDenied
from django.db import models
from django.db.models import Q
from django.http import HttpRequest, StreamingHttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from atelier.core.admin import QuickInline, QuickModelAdmin, ReadOnly
from etl.models import ImportFile, ImportReject, ImportRun

OUTCOMES = ("loaded", "updated", "unchanged", "skipped", "duplicate", "rejected")
# Runs that the filter of rejected lines offers.
OFFERED_RUNS = 10
# Steps that a run's page tells.
SHOWN_STEPS = 12
# Characters of a rejected line in lists.
SHOWN = 200
# What spreadsheets take for the beginning of a formula, full-width forms included.
FORMULA_SIGNS = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")


class ImportFileRows(ReadOnly, QuickInline):
    model = ImportFile
    fields = ("name", "lines", "account", "absences", "repaired", "refused")
    readonly_fields = fields
    verbose_name_plural = "files"

    def account(self, file: ImportFile) -> str:
        """The sum that has to come out, in one line."""
        parts = " + ".join(f"{getattr(file, name):,} {name}" for name in OUTCOMES)
        return f"{file.read:,} read = {parts}"

    @admin.display(description="absent")
    def absences(self, file: ImportFile) -> str:
        return f"{file.absent:,}, {file.deleted:,} deleted" if file.deleted else f"{file.absent:,}"

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
        ("attempts", "process", "peak_memory"),
        "read_from",
        "chosen_options",
        "rejected_lines",
        "rejects_path",
        "error",
        "steps_taken",
    )
    inlines = (ImportFileRows,)

    def took(self, run: ImportRun) -> str:
        if run.finished_at is None:
            return "-"
        return f"{(run.finished_at - run.started_at).total_seconds():,.1f} s"

    @admin.display(description="sources")
    def read_from(self, run: ImportRun) -> SafeString:
        return format_html_join("", "{}<br>", ((source,) for source in run.sources))

    @admin.display(description="options")
    def chosen_options(self, run: ImportRun) -> str:
        chosen = [f"{name}: {value}" for name, value in sorted(run.options.items()) if value]
        return ", ".join(chosen) or "-"

    def peak_memory(self, run: ImportRun) -> str:
        return f"{run.peak_bytes / 1e6:,.0f} MB" if run.peak_bytes else "-"

    def rejected_lines(self, run: ImportRun) -> SafeString | str:
        if not ImportReject.objects.filter(file__run=run).exists():
            return "-"
        page = f"{reverse('admin:etl_importreject_changelist')}?{RunFilter.parameter_name}={run.pk}"
        return format_html('<a class="text-link" href="{}">look at them</a>', page)

    @admin.display(description="steps")
    def steps_taken(self, run: ImportRun) -> SafeString | str:
        """The longest ones, with the rate of those that count rows."""
        longest = sorted(run.steps, key=lambda step: -step["seconds"])[:SHOWN_STEPS]
        return (
            format_html_join("", "{}<br>", ((_told(step),) for step in longest)) if longest else "-"
        )


def _number(text: str) -> int | None:
    """A whole number that a column of the database can hold."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _chosen(run: str | None) -> list[int]:
    """The run with this id, else the last one that has rejected lines, if any."""
    number = _number(run or "")
    return [number] if number is not None else [last.pk for last in _rejecting()[:1]]


class RunFilter(SimpleListFilter):
    """One run's rejected lines, of the last one that has any unless another is chosen."""

    title = "run"
    parameter_name = "run"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(run.pk), f"{run.pk}: {run.command}") for run in _rejecting()[:OFFERED_RUNS]]

    def queryset(self, request: HttpRequest, queryset: Any) -> models.QuerySet[ImportReject]:
        return queryset.filter(file__run__in=_chosen(self.value()))


class ReasonFilter(SimpleListFilter):
    title = "reason"
    parameter_name = "reason"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        files = ImportFile.objects.filter(
            run__in=_chosen(request.GET.get(RunFilter.parameter_name))
        )
        reasons = {reason for file in files for reason in file.rejects}
        return [(reason, reason) for reason in sorted(reasons)]

    def queryset(self, request: HttpRequest, queryset: Any) -> models.QuerySet[ImportReject]:
        reason = self.value()
        if not reason:
            return queryset
        # No text of PostgreSQL holds a NUL.
        return queryset.none() if "\0" in reason else queryset.filter(reason=reason)


@admin.register(ImportReject)
class ImportRejectAdmin(ReadOnly, QuickModelAdmin):
    """Lines that were not loaded, to be searched and downloaded, a run's at a time."""

    list_display = ("place", "column", "reason", "value", "beginning")
    list_display_links = ("place",)
    list_filter = (RunFilter, ReasonFilter)
    indexed_lookups: Collection[str] = (RunFilter.parameter_name, ReasonFilter.parameter_name)
    list_select_related = ("file",)
    list_before_template = "etl/download_rejects.html"
    ordering = ("file", "line")
    sortable_by = ()
    search_help_text = "A line number, or a part of the line, its column, reason or value"
    fields = ("run", "place", "column", "reason", "value", "original_line")

    def place(self, reject: ImportReject) -> str:
        return f"{reject.file.name}.csv, line {reject.line}"

    def run(self, reject: ImportReject) -> SafeString:
        url = reverse("admin:etl_importrun_change", args=[reject.file.run_id])
        return format_html('<a class="text-link" href="{}">{}</a>', url, reject.file.run_id)

    @admin.display(description="original")
    def beginning(self, reject: ImportReject) -> str:
        line = readable(reject.original[: 4 * SHOWN])
        return line if len(line) <= SHOWN else f"{line[:SHOWN]}..."

    def original_line(self, reject: ImportReject) -> str:
        return readable(reject.original)

    def get_search_results(
        self, request: HttpRequest, queryset: models.QuerySet, search_term: str
    ) -> tuple[models.QuerySet, bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        found = Q(column=term) | Q(reason=term) | Q(value__contains=term)
        if (line := _number(term)) is not None:
            found |= Q(line=line)
        holds = models.Func(
            models.Value(term.encode()),
            "original",
            template="position(%(expressions)s)",
            arg_joiner=" IN ",
            output_field=models.IntegerField(),
        )
        return queryset.annotate(found_at=holds).filter(found | Q(found_at__gt=0)), False

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.download)
        return [path("download/", view, name="etl_importreject_download"), *super().get_urls()]

    def download(self, request: HttpRequest) -> StreamingHttpResponse:
        """What the list shows, all pages of it, as a CSV that no spreadsheet takes for formulas."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        rejects = self.get_changelist_instance(request).get_queryset(request)
        return StreamingHttpResponse(
            _as_csv(rejects.iterator(chunk_size=500)),
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": 'attachment; filename="rejected-lines.csv"'},
        )


def _rejecting() -> models.QuerySet[ImportRun]:
    """Runs with rejected lines, the last one first."""
    return ImportRun.objects.filter(files__rejected__gt=0).distinct().order_by("-id")


def _told(step: dict[str, Any]) -> str:
    rate = f", {step['rows'] / step['seconds']:,.0f} rows/s" if step["rows"] else ""
    return f"{step['phase']} {step['about']}: {step['seconds']:.1f} s{rate}"


def readable(original: bytes | memoryview) -> str:
    """The line as text; bytes that are none as `\\xff`."""
    return bytes(original).decode("utf-8", "backslashreplace").replace("\0", "\\x00")


def without_formulas(cell: str) -> str:
    """With an apostrophe before what a spreadsheet would calculate."""
    return f"'{cell}" if cell.lstrip().startswith(FORMULA_SIGNS) or cell[:1].isspace() else cell


class _Echo:
    """Hands back what a CSV writer writes."""

    def write(self, line: str) -> str:
        return line


def _as_csv(rejects: Iterable[ImportReject]) -> Iterator[str]:
    writer = csv.writer(_Echo())
    yield writer.writerow(["run", "file", "line", "column", "reason", "value", "original"])
    for reject in rejects:
        file = reject.file
        cells = (reject.column, reject.reason, reject.value, readable(reject.original))
        yield writer.writerow(
            [file.run_id, f"{file.name}.csv", reject.line, *map(without_formulas, cells)]
        )


def _by_kind(numbers: dict[str, Any]) -> SafeString | str:
    """A number for each kind, the greatest first."""
    if not numbers:
        return "-"
    kinds = sorted(numbers.items(), key=lambda pair: (-_size(pair[1]), pair[0]))
    return format_html_join("", "{}: {}<br>", ((kind, f"{_size(n):,}") for kind, n in kinds))


def _size(number: Any) -> int:
    return number if isinstance(number, int) else len(number)
