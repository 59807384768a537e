"""What was imported, when, and what became of every line."""

from django.db import models
from django.db.models.functions import Now


class ImportRun(models.Model):
    """One run of an import command. `files` holds a report per file, as the command prints it."""

    class Status(models.TextChoices):
        RUNNING = "running", "running"
        DONE = "done", "done"
        REJECTS = "rejects", "done, with rejected lines"
        FAILED = "failed", "failed"
        ABANDONED = "abandoned", "killed; nothing was changed"

    command = models.TextField()
    sources = models.JSONField(default=list)
    status = models.TextField(choices=Status.choices, default=Status.RUNNING)
    started_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True)
    error = models.TextField(default="", blank=True)
    rejects_path = models.TextField(default="", blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(
                    status__in=["running", "done", "rejects", "failed", "abandoned"]
                ),
                name="import_run_status_known",
            )
        ]

    def __str__(self) -> str:
        return f"{self.command} {self.pk}"


class ImportFile(models.Model):
    """The account of one file: read = loaded + updated + unchanged + duplicate + rejected."""

    run = models.ForeignKey(ImportRun, on_delete=models.CASCADE, related_name="files")
    name = models.TextField()
    path = models.TextField()
    lines = models.BigIntegerField()
    blank = models.BigIntegerField()
    continued = models.BigIntegerField()
    read = models.BigIntegerField()
    loaded = models.BigIntegerField()
    updated = models.BigIntegerField()
    unchanged = models.BigIntegerField()
    duplicate = models.BigIntegerField()
    rejected = models.BigIntegerField()
    repairs = models.JSONField(default=dict)
    rejects = models.JSONField(default=dict)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(
                    read=models.F("loaded")
                    + models.F("updated")
                    + models.F("unchanged")
                    + models.F("duplicate")
                    + models.F("rejected")
                ),
                name="import_file_accounts_for_every_record",
            )
        ]

    def __str__(self) -> str:
        return self.name
