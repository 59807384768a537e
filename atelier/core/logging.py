"""JSON logs: one object a line on stderr, each carrying the id of the request it belongs to."""

import logging.config
from typing import Any

import structlog

SHARED: list[structlog.typing.Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


def configure(*, level: str) -> None:
    """Route the standard library's loggers and structlog's into one JSON stream."""
    logging.config.dictConfig(
        {
            **json_handlers(),
            "root": {"handlers": ["stderr"], "level": level},
            "loggers": {
                # nginx writes a line for each request; Django's 4xx warnings would double it.
                "django.request": {"level": "ERROR"},
                # Anybody can send a wrong Host; nginx refuses it first.
                "django.security.DisallowedHost": {"level": "CRITICAL"},
                "django.db.backends": {"level": "WARNING"},
                # Four lines a job; what became of a delivery stands in its row.
                "procrastinate": {"level": "WARNING"},
            },
        }
    )
    structlog.configure(
        processors=[*SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def json_handlers() -> dict[str, Any]:
    """The part of a logging configuration that writes JSON to stderr; gunicorn uses it too."""
    formatter = {
        "()": structlog.stdlib.ProcessorFormatter,
        "foreign_pre_chain": [*SHARED, structlog.processors.format_exc_info],
        "processors": [
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
    }
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": formatter},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
    }
