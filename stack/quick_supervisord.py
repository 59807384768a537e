"""supervisord, looking after its programs ten times a second instead of once.

Run as a script in place of `supervisord`, with its arguments.
"""

from supervisor import poller, supervisord

LONGEST_WAIT_SECONDS = 0.1


class QuickPoller(poller.Poller):
    """Waits for output or commands no longer than a tenth of a second, so a death is seen soon."""

    def poll(self, timeout: float) -> tuple[list[int], list[int]]:
        readable, writable = super().poll(min(timeout, LONGEST_WAIT_SECONDS))
        return readable, writable


if __name__ == "__main__":
    poller.Poller = QuickPoller
    supervisord.main()
