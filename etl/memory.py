from pathlib import Path


def peak_bytes() -> int:
    """The most memory that this program took; getrusage would count its parent's as well."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0
