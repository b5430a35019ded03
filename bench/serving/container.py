"""Runs docs/deploy/Containerfile without a container engine, and shows that what it makes serves.

    sudo python -m bench.serving.container [--root FOLDER]

It needs root, Debian's debootstrap, and the network. The base image is a Debian with the same Python. The steps of the
file are run in it, with chroot. Then its command runs in namespaces of its own, as an engine would run it with
`--read-only --tmpfs /run/nudge --volume …:/models:ro`: as process 1, as another user, without capabilities.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.serving.footprint import megabytes
from model.messages import align_columns

REPOSITORY = Path(__file__).parents[2]
CONTAINERFILE = REPOSITORY / "docs" / "deploy" / "Containerfile"
RELEASE = "trixie"  # the Debian of the base image. Its Python is 3.13 too.
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
QUERY = "http://127.0.0.1:8000/predict?a=1&b=0"
# What runs as process 1 of the new namespaces. $1: the root, $2: the models, $3: the user, the rest: the command.
START = """
set -eu
mount --make-rprivate /
mount --bind "$1" "$1"
mount -t proc proc "$1/proc"
mount -t tmpfs -o mode=1777,size=64m tmpfs "$1/run/nudge"
mount --bind "$2" "$1/models"
mount -o remount,bind,ro "$1/models"
mount -o remount,bind,ro "$1"
ip link set lo up
root=$1 user=${3%:*} group=${3#*:}
shift 3
exec chroot "$root" setpriv --reuid "$user" --regid "$group" --clear-groups --no-new-privs --bounding-set=-all "$@"
"""
TOUCH = """for folder in / /etc /opt/nudge /tmp /var/tmp /models /run /run/nudge
do touch "$folder/x" 2>/dev/null && rm "$folder/x" && echo "$folder"; done"""
# Sends half of a request, and the rest when a line comes. It prints the status.
SLOW_CLIENT = """
import socket, sys
body = b'{"a": 1, "b": 0}'
head = b"POST /predict HTTP/1.1\\r\\nHost: x\\r\\nContent-Type: application/json\\r\\nContent-Length: %d\\r\\n\\r\\n"
with socket.create_connection(("127.0.0.1", 8000), timeout=60) as connection:
    connection.sendall(head % len(body) + body[:5])
    print("sent", flush=True)
    sys.stdin.readline()
    connection.sendall(body[5:])
    print(connection.recv(65536).split(b"\\r\\n")[0].decode())
"""


@dataclass
class Stage:
    """What the instructions of a stage have made."""

    root: Path
    variables: dict[str, str] = field(default_factory=dict)
    user: str = "0:0"
    command: list[str] = field(default_factory=list)
    health_check: list[str] = field(default_factory=list)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, help="a folder with the base image; it is made if it is not there")
    with tempfile.TemporaryDirectory(prefix="nudge-container-") as folder:
        base = parser.parse_args().root or Path(folder, "base")
        make_base(base)
        context = Path(folder, "dist")
        subprocess.run(
            [sys.executable, "-m", "build", "--quiet", "--outdir", context, REPOSITORY], check=True, stdout=2
        )
        shutil.copy(REPOSITORY / "constraints.txt", context)
        stage = build(base, context, Path(folder))
        models = Path(folder, "models")
        models.mkdir()
        for seed, name in enumerate(("xor", ".next")):  # hidden files are ignored
            train(models / f"{name}.safetensors", seed)
        print(align_columns([["what", "found"], *check(stage, models)]))


def make_base(base: Path) -> None:
    """Make a Debian with Python, in place of the image that the file names."""
    if not base.exists():
        packages = "--include=python3,python3-venv"
        subprocess.run(["debootstrap", "--variant=minbase", packages, RELEASE, base], check=True, stdout=2)
    for path in ("/etc/resolv.conf", CERTIFICATES):  # pip in the root needs the network of this machine
        (base / path[1:]).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, base / path[1:])


def build(base: Path, context: Path, folder: Path) -> Stage:
    """Run the instructions of the Containerfile, and return its last stage."""
    stages: list[Stage] = []
    names: dict[str, Stage] = {}
    for line in re.findall(r"^[A-Z]+ .*$", CONTAINERFILE.read_text(), re.MULTILINE):
        instruction, _, rest = line.partition(" ")
        if instruction == "FROM":
            stages.append(Stage(folder / f"root{len(stages)}"))
            subprocess.run(["cp", "--archive", base, stages[-1].root], check=True)
            names[rest.rpartition(" AS ")[2]] = stages[-1]
            continue
        stage = stages[-1]
        if instruction == "COPY":
            source, target = rest.split()[-2:]
            origin = names[rest.split()[0].removeprefix("--from=")].root if rest.startswith("--from=") else context
            subprocess.run(["cp", "--archive", f"{origin}/{source}", f"{stage.root}{target}"], check=True)
        elif instruction == "RUN":
            subprocess.run(["chroot", stage.root, "sh", "-ec", rest], check=True, stdout=2)
        elif instruction == "ENV":
            name, _, value = rest.partition("=")
            stage.variables[name] = value
        elif instruction == "USER":
            stage.user = rest
        elif instruction == "CMD":
            stage.command = json.loads(rest)
        elif instruction == "HEALTHCHECK":
            stage.health_check = json.loads(rest.partition(" CMD ")[2])
        elif instruction not in ("EXPOSE", "STOPSIGNAL"):
            raise SystemExit(f"expected an instruction that this script knows, found {instruction}")
    return stages[-1]


def train(path: Path, seed: int) -> None:
    """Write a checkpoint, whose version depends on the seed."""
    command = ["train", "xor", "--epochs", "20000", "--seed", str(seed), "--out", str(path)]
    subprocess.run([sys.executable, "-m", "model", *command], check=True, stdout=subprocess.DEVNULL, cwd=REPOSITORY)


@contextmanager
def running(stage: Stage, models: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Run the command of a stage until the block ends. Yields its process, and that which is process 1 inside."""
    environment = [f"{name}={value}" for name, value in stage.variables.items()]
    inside = ["sh", "-c", START, "sh", stage.root, models, stage.user, "env", "-i", *environment, *stage.command]
    namespaces = ["unshare", "--mount", "--pid", "--net", "--ipc", "--uts", "--fork", "--kill-child"]
    with subprocess.Popen([*namespaces, *inside]) as process:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        try:
            yield process, int(wait_until(children.read_text))
        finally:
            process.kill()


def check(stage: Stage, models: Path) -> Iterator[list[str]]:
    """Start the service, ask it, change its model, kill a worker, and end it. Yields what was found."""
    size = subprocess.run(["du", "-sm", stage.root / "opt"], check=True, capture_output=True, text=True).stdout
    yield ["size beside the base image", f"{size.split()[0]} MB"]
    started = time.perf_counter()
    with running(stage, models) as (process, first):
        version = wait_until(lambda: ask(first))["version"]
        yield ["first answer after", f"{time.perf_counter() - started:.1f} s"]
        yield ["health check", f"status {run_inside(stage, first, *stage.health_check).returncode}"]
        rights = "id -u; grep CapEff /proc/1/status"
        yield ["user, capabilities", " ".join(run_inside(stage, first, "sh", "-c", rights).stdout.split())]
        yield ["writable", run_inside(stage, first, "sh", "-c", TOUCH).stdout.strip()]
        (models / ".next.safetensors").replace(models / "xor.safetensors")
        moved = time.perf_counter()
        wait_until(lambda: ask(first)["version"] != version)
        yield ["a new checkpoint answers after", f"{time.perf_counter() - moved:.1f} s"]
        (worker,) = Path(f"/proc/{first}/task/{first}/children").read_text().split()
        yield ["memory of the worker", f"{megabytes(int(worker)):.0f} MB"]
        os.kill(int(worker), signal.SIGKILL)
        killed = time.perf_counter()
        wait_until(lambda: ask(first))
        yield ["a killed worker is replaced after", f"{time.perf_counter() - killed:.1f} s"]
        used = run_inside(stage, first, "sh", "-c", "cd /run/nudge && du -sk . && find . -type f").stdout.split()
        yield ["in /run/nudge", f"{used[0]} kB, {len(used) - 2} files"]
        yield ["after SIGTERM", end(process, first)]


def ask(first: int) -> dict[str, Any]:
    """The answer to a row, by curl of this machine in the network of the service; empty if there is none."""
    curl = ["nsenter", "--target", str(first), "--net", "curl", "--silent", "--max-time", "5", QUERY]
    found = subprocess.run(curl, capture_output=True, text=True).stdout
    return dict(json.loads(found)) if found else {}


def run_inside(stage: Stage, first: int, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command in the root and the namespaces of the service, as the same user."""
    user, _, group = stage.user.partition(":")
    enter = [
        "nsenter",
        "--target",
        str(first),
        "--mount",
        "--pid",
        "--net",
        "--root",
        "--setuid",
        user,
        "--setgid",
        group,
    ]
    environment = [f"{name}={value}" for name, value in stage.variables.items()]
    return subprocess.run([*enter, "env", "-i", *environment, *command], capture_output=True, text=True)


def end(process: subprocess.Popen[bytes], first: int) -> str:
    """Send SIGTERM to process 1 while a client has sent half of a request, and say how both ended."""
    client = [sys.executable, "-c", SLOW_CLIENT]
    with subprocess.Popen(
        ["nsenter", "--target", str(first), "--net", *client], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as half_sent:
        assert half_sent.stdin is not None
        assert half_sent.stdout is not None
        half_sent.stdout.readline()
        began = time.perf_counter()
        os.kill(first, signal.SIGTERM)
        time.sleep(1)  # so that the signal comes first
        half_sent.stdin.write("go on\n")
        half_sent.stdin.close()
        answer = half_sent.stdout.read().strip()
    return f"status {process.wait(timeout=60)} after {time.perf_counter() - began:.1f} s; half a request: {answer}"


def wait_until(look: Callable[[], Any]) -> Any:
    """The first result that is not empty."""
    while not (found := look()):
        time.sleep(0.02)
    return found


if __name__ == "__main__":
    main()
