"""The service beside its peers: requests a second for one row and for 1,000, one worker each, from the same network.

    python -m bench.serving --peers mlserver=/path/to/python,litserve=/path/to/python

All servers run at once and all but one idle; they are asked in turns, by a client written in C (load.c). It needs a C
compiler (`cc`, or $CC). README.md, beside this file, says how the peers are installed.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from safetensors.numpy import load_file

from bench.serving.forward import Forward
from bench.serving.questions import BINARY, JSON, ONE, RANDOM_ROWS, Question, questions
from bench.serving.servers import PEERS, ROOT, TOLERANCE, NotRight, Server
from model.messages import align_columns

# Nudge's requests a second over the constant route's, over every peer's, and over MLServer's.
CONSTANT_BAR, PEER_BAR, JSON_BAR, BINARY_BAR = 0.90, 1.0, 1.3, 3.0
WARM = 1.0  # seconds of each question before it is measured
REFERENCES = {ONE: "Nudge, GET /predict", JSON: "Nudge, V2", BINARY: "Nudge, V2 with binary tensors"}
FASTEST = "MLServer, its fastest of 1,000 rows"

FLAGS = ("-O2",)


def main() -> None:
    arguments = parse()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # so that the servers are stopped
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        load = compile_load(folder)
        forward = write_network(folder)
        pythons = {"nudge": sys.executable, "constant": sys.executable} | arguments.peers
        for name in PEERS:
            if name not in pythons:
                print(f"{name} is left out: no --peers {name}=PYTHON is given.")
        servers: dict[str, Server] = {}
        asked: list[Question] = []
        for name, python in pythons.items():
            server = Server(name, python, folder)
            stack.callback(server.stop)
            its = [question for question in questions() if question.server == name]
            try:
                server.wait(its[0], forward)
            except NotRight as error:
                print(f"{name} is left out: {error}")
                continue
            servers[name] = server
            asked += [question for question in its if answers(server, question, forward)]
        client = Client(load, folder, arguments.connections)
        for question in asked:
            client.ask(servers[question.server], question, WARM)
        rates: dict[tuple[str, str], list[Rate]] = {key(question): [] for question in asked}
        for _ in range(arguments.turns):
            for question in asked:
                rates[key(question)].append(client.ask(servers[question.server], question, arguments.seconds))
    print(align_columns(table(rates)))
    everything = [rate for of_one in rates.values() for rate in of_one]
    print(
        f"\nRequests a second: the median of {arguments.turns} turns of {arguments.seconds:g} s, and the best, "
        f"over {arguments.connections} connections.\n"
        "The ratio is Nudge's rate, in the first line of its part, over the other's: the median of the turns' ratios.\n"
        f"All were right within {TOLERANCE:g} first. Errors: {sum(rate.errors for rate in everything)}. "
        f"The client was busy for at most {max(rate.busy for rate in everything):.0%} of a core."
    )


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.serving", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--peers", type=peers, default={}, help="name=PYTHON, … of the environments they are in")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement (5)")
    parser.add_argument("--turns", type=int, default=3, help="measurements of each (3)")
    parser.add_argument("--connections", type=int, default=8, help="each waits for its answer (8)")
    return parser.parse_args()


def peers(text: str) -> dict[str, str]:
    """name=PYTHON, … as a mapping."""
    pairs = dict(pair.partition("=")[::2] for pair in text.split(",") if pair)
    for name, python in pairs.items():
        if name not in PEERS:
            raise argparse.ArgumentTypeError(f"expected one of {', '.join(PEERS)}, found {name!r}")
        if not os.access(python, os.X_OK):
            raise argparse.ArgumentTypeError(f"expected {name}=PYTHON, the path of an interpreter, found {python!r}")
    return pairs


def compile_load(folder: Path) -> Path:
    source, load = Path(__file__).with_name("load.c"), folder / "load"
    compiler = shlex.split(os.environ.get("CC", "cc"))
    subprocess.run([*compiler, *FLAGS, "-o", load, source], check=True)
    return load


def write_network(folder: Path) -> Forward:
    """Train XOR; its checkpoint for Nudge, the same numbers for the peers, and the rows for gRPC."""
    checkpoint, parameters = folder / "xor.safetensors", folder / "parameters.npz"
    train = [sys.executable, "-m", "model", "train", "xor", "--epochs", "20000", "--out", str(checkpoint)]
    subprocess.run(train, check=True, stdout=subprocess.DEVNULL, cwd=ROOT)
    tensors = load_file(checkpoint)
    np.savez(
        parameters,
        weight0=tensors["params.0.weight"],
        bias0=tensors["params.0.bias"],
        weight1=tensors["params.1.weight"],
        bias1=tensors["params.1.bias"],
    )
    np.save(folder / "rows.npy", RANDOM_ROWS)
    return Forward(parameters)


def answers(server: Server, question: Question, forward: Forward) -> bool:
    """Whether it answers this rightly; where not, says so."""
    try:
        server.check(question, forward)
    except (NotRight, OSError) as error:
        print(f"{question.title} ({question.section}) is left out: {error}")
        return False
    return True


class Rate(NamedTuple):
    """Of one measurement. busy: what share of a core the client used."""

    per_second: float
    errors: int
    busy: float


class Client:
    """The programs that ask, over a number of connections."""

    def __init__(self, load: Path, folder: Path, connections: int) -> None:
        self.load, self.folder, self.connections = load, folder, connections

    def ask(self, server: Server, question: Question, seconds: float) -> Rate:
        if question.request:
            request = self.folder / "request"
            request.write_bytes(question.request)
            command: list[Any] = [self.load, str(server.port), str(self.connections), str(seconds), request]
        else:
            command = server.grpc_load(self.connections, seconds)
        process = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
        if process.returncode:
            failure = f"{question.title} ({question.section}): {process.stderr.strip()}"
            sys.exit(f"{failure}; the end of the server's log:\n{server.tail()}")
        result = json.loads(process.stdout)
        return Rate(result["requests"] / result["seconds"], result["errors"], result["busy"])


def key(question: Question) -> tuple[str, str]:
    return question.section, question.title


def table(rates: dict[tuple[str, str], list[Rate]]) -> list[list[str]]:
    """The lines, a part for each section."""
    measured = {name: [rate.per_second for rate in of_one] for name, of_one in rates.items()}
    mlserver = [values for (section, title), values in measured.items() if section != ONE and "MLServer" in title]
    if mlserver:
        measured[BINARY, FASTEST] = [max(turn) for turn in zip(*mlserver, strict=True)]
    rows: list[list[str]] = []
    for section, reference in REFERENCES.items():
        rows.append([section, "median", "best", "ratio", "bar"] if not rows else [section, "", "", "", ""])
        ours = measured.get((section, reference))
        if ours is None:
            rows.append([f"  {reference}", "not there", "", "", ""])
        titles = [title for of, title in measured if of == section]
        for title in sorted(titles, key=lambda title: not title.startswith("Nudge")):
            theirs = measured[section, title]
            compared = compare(ours, theirs, bar(section, title)) if title != reference else ["", ""]
            rows.append([f"  {title}", f"{statistics.median(theirs):,.0f}", f"{max(theirs):,.0f}", *compared])
    return rows


def bar(section: str, title: str) -> float | None:
    """What Nudge's rate must at least be over that of this line."""
    if section == ONE and not title.startswith("Nudge"):
        return CONSTANT_BAR if title.startswith("constant") else PEER_BAR
    if section == JSON and title.startswith("MLServer"):
        return JSON_BAR
    return BINARY_BAR if title == FASTEST else None


def compare(ours: Sequence[float] | None, theirs: Sequence[float], least: float | None) -> list[str]:
    """The ratio, and the bar with whether it is met."""
    if ours is None:
        return ["", "" if least is None else f"at least {least:g}  not measured"]
    ratio = statistics.median(a / b if b else np.inf for a, b in zip(ours, theirs, strict=True))
    verdict = "" if least is None else f"at least {least:g}{'' if ratio >= least else '  MISSED'}"
    return [f"{ratio:.2f}", verdict]


if __name__ == "__main__":
    main()
