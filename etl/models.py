"""What was imported, when, and what became of every line."""

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now


class ImportRun(models.Model):
    """One run of an import command. `files` holds a report per file, as the command prints it.

    `options` are those of the command line, for whoever resumes it; `steps` what took how long.
    """

    class Status(models.TextChoices):
        RUNNING = "running", "running"
        DONE = "done", "done"
        REJECTS = "rejects", "done, with rejected lines"
        DRY_RUN = "dry_run", "dry run; nothing was changed"
        FAILED = "failed", "failed; nothing was changed"
        ABANDONED = "abandoned", "killed; nothing was changed"

    command = models.TextField()
    sources = models.JSONField(default=list)
    options = models.JSONField(default=dict)
    status = models.TextField(choices=Status.choices, default=Status.RUNNING)
    started_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True)
    attempts = models.IntegerField(default=1, db_default=1)
    # Who holds the lock while it runs.
    process = models.TextField(default="", blank=True)
    error = models.TextField(default="", blank=True)
    rejects_path = models.TextField(default="", blank=True)
    steps = models.JSONField(default=list)
    peak_bytes = models.BigIntegerField(default=0, db_default=0)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    status__in=["running", "done", "rejects", "dry_run", "failed", "abandoned"]
                ),
                name="import_run_status_known",
            )
        ]

    def __str__(self) -> str:
        return f"{self.command} {self.pk}"


class ImportFile(models.Model):
    """The account of one file: read = accepted + duplicate + rejected, and, where the run was
    finished, accepted = loaded + updated + unchanged + skipped.

    absent: rows of the table that the file does not hold; deleted: those of them that went.
    """

    run = models.ForeignKey(ImportRun, on_delete=models.CASCADE, related_name="files")
    position = models.IntegerField(default=0, db_default=0)
    name = models.TextField()
    path = models.TextField()
    # Size and time of change, or what else tells that a file is the same.
    identity = models.TextField(default="", blank=True)
    release = models.TextField(default="", blank=True)
    encoding = models.TextField(default="", blank=True)
    is_finished = models.BooleanField(default=False, db_default=False)
    lines = models.BigIntegerField()
    blank = models.BigIntegerField()
    continued = models.BigIntegerField()
    read = models.BigIntegerField()
    accepted = models.BigIntegerField(default=0, db_default=0)
    loaded = models.BigIntegerField(default=0)
    updated = models.BigIntegerField(default=0)
    unchanged = models.BigIntegerField(default=0)
    skipped = models.BigIntegerField(default=0, db_default=0)
    duplicate = models.BigIntegerField()
    rejected = models.BigIntegerField()
    absent = models.BigIntegerField(default=0, db_default=0)
    deleted = models.BigIntegerField(default=0, db_default=0)
    repairs = models.JSONField(default=dict)
    rejects = models.JSONField(default=dict)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(read=F("accepted") + F("duplicate") + F("rejected")),
                name="import_file_accounts_for_every_record",
            ),
            models.CheckConstraint(
                condition=Q(is_finished=False)
                | Q(accepted=F("loaded") + F("updated") + F("unchanged") + F("skipped")),
                name="import_file_accounts_for_every_row",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class ImportReject(models.Model):
    """A line that was not loaded. `original` is its bytes, of a line over 1 MiB the first 4096."""

    file = models.ForeignKey(
        ImportFile, on_delete=models.CASCADE, related_name="rejected_lines", db_index=False
    )
    line = models.BigIntegerField()
    column = models.TextField(blank=True)
    reason = models.TextField()
    value = models.TextField(blank=True)
    original = models.BinaryField()

    class Meta:
        verbose_name = "rejected line"
        indexes = [
            models.Index(fields=["file", "line"], name="import_reject_by_line"),
            models.Index(fields=["file", "reason", "line"], name="import_reject_by_reason"),
        ]

    def __str__(self) -> str:
        return f"line {self.line}: {self.reason}"


class Fingerprint(models.Model):
    """The numbers of a stretch of rows, see `etl.fingerprints`. `run` is empty where they count;
    of those the newest does."""

    run = models.BigIntegerField(null=True)
    table_name = models.TextField()
    stretch = models.IntegerField()
    numbers = models.BinaryField()

    class Meta:
        indexes = [
            models.Index(fields=["table_name", "stretch", "id"], name="fingerprint_by_stretch"),
        ]

    def __str__(self) -> str:
        return f"{self.table_name} {self.stretch}"


class TouchedRow(models.Model):
    """An imported row that somebody else changed or deleted since; `row_id` 0 is all of them.

    Written by triggers on the tables that imports fill.
    """

    table_name = models.TextField()
    row_id = models.BigIntegerField()

    class Meta:
        indexes = [models.Index(fields=["table_name"], name="touched_row_by_table")]

    def __str__(self) -> str:
        return f"{self.table_name} {self.row_id}"
