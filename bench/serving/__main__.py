"""Nudge compared with other servers (its peers): requests per second for one row and for 1,000 rows.

    python -m bench.serving --peers mlserver=/path/to/python,litserve=/path/to/python

All servers have one worker and the same network. They all run at the same time and are asked in turns, by a client in C
(load.c). It needs a C compiler (`cc`, or $CC). README.md in this folder says how to install the peers.
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
from bench.serving.questions import BINARY_ROWS, JSON_ROWS, ONE_ROW, RANDOM_ROWS, Question, questions
from bench.serving.servers import CONSTANT, PEERS, ROOT, TOLERANCE, Server, WrongAnswer
from model.messages import align_columns

# The smallest ratios of Nudge's rate to those of others. Computing nothing has two: for one row, and for 1,000.
CONSTANT_BARS, PEER_BAR, JSON_BAR = {ONE_ROW: 1.5, BINARY_ROWS: 0.9}, 1.0, 1.3
# How long each question is asked before it is measured.
WARM_UP_SECONDS = 1.0
# The line of each section to which the others are compared.
REFERENCES = {ONE_ROW: "Nudge, GET /predict", JSON_ROWS: "Nudge, V2", BINARY_ROWS: "Nudge, V2 with binary tensors"}
COMPILER_FLAGS = ("-O2",)


def main() -> None:
    arguments = parse()
    # So that SIGTERM stops the servers too.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        load = compile_load(folder)
        forward = write_network(folder)
        pythons = dict.fromkeys(("nudge", *CONSTANT), sys.executable) | arguments.peers
        for name in PEERS:
            if name not in pythons:
                print(f"{name} is left out: there is no --peers {name}=PYTHON.")
        servers: dict[str, Server] = {}
        asked: list[Question] = []
        for name, python in pythons.items():
            server = Server(name, python, folder)
            stack.callback(server.stop)
            server_questions = [question for question in questions() if question.server == name]
            try:
                server.wait(server_questions[0], forward)
            except WrongAnswer as error:
                print(f"{name} is left out: {error}")
                continue
            servers[name] = server
            asked += [question for question in server_questions if answers_rightly(server, question, forward)]
        client = Client(load, folder, arguments.connections)
        for question in asked:
            client.ask(servers[question.server], question, WARM_UP_SECONDS)
        rates: dict[tuple[str, str], list[Rate]] = {key(question): [] for question in asked}
        for _ in range(arguments.turns):
            for question in asked:
                rates[key(question)].append(client.ask(servers[question.server], question, arguments.seconds))
    print(align_columns(table(rates)))
    all_rates = [rate for question_rates in rates.values() for rate in question_rates]
    errors, busy = sum(rate.errors for rate in all_rates), max(rate.busy for rate in all_rates)
    print(
        f"\nRequests per second over {arguments.connections} connections: the median and the best of "
        f"{arguments.turns} turns of {arguments.seconds:g} s.\n"
        "A ratio is the rate in the first line of the section, divided by that of the other server: the median of the "
        "turns.\n"
        f"All answers were right within {TOLERANCE:g} before the measurement. Errors: {errors}. "
        f"The client was busy for at most {busy:.0%} of a core."
    )


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.serving", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--peers", type=peers, default={}, help="name=PYTHON,… of their environments")
    parser.add_argument("--seconds", type=float, default=5.0, help="length of each measurement (5)")
    parser.add_argument("--turns", type=int, default=3, help="measurements of each question (3)")
    parser.add_argument("--connections", type=int, default=8, help="connections that ask at the same time (8)")
    return parser.parse_args()


def peers(text: str) -> dict[str, str]:
    """Parse name=PYTHON,… into a dictionary."""
    pairs = dict(pair.partition("=")[::2] for pair in text.split(",") if pair)
    for name, python in pairs.items():
        if name not in PEERS:
            raise argparse.ArgumentTypeError(f"expected one of {', '.join(PEERS)}, found {name!r}")
        if not os.access(python, os.X_OK):
            raise argparse.ArgumentTypeError(f"expected {name}=PYTHON, the path of an interpreter, found {python!r}")
    return pairs


def compile_load(folder: Path) -> Path:
    """Compile load.c, and return the path of the program."""
    source, load = Path(__file__).with_name("load.c"), folder / "load"
    compiler = shlex.split(os.environ.get("CC", "cc"))
    subprocess.run([*compiler, *COMPILER_FLAGS, "-o", load, source], check=True)
    return load


def write_network(folder: Path) -> Forward:
    """Train XOR. Write the checkpoint for Nudge, the same params for the peers, and the rows for gRPC."""
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


def answers_rightly(server: Server, question: Question, forward: Forward) -> bool:
    """Whether a server gives the right answer. If not, print why it is left out."""
    try:
        server.check(question, forward)
    except (WrongAnswer, OSError) as error:
        print(f"{question.title} ({question.section}) is left out: {error}")
        return False
    return True


class Rate(NamedTuple):
    """The result of one measurement.

    Attributes:
        per_second: answered requests per second.
        errors: requests without a right answer.
        busy: the share of a core that the client used.
    """

    per_second: float
    errors: int
    busy: float


class Client:
    """Asks servers over a number of connections."""

    def __init__(self, load: Path, folder: Path, connections: int) -> None:
        self.load, self.folder, self.connections = load, folder, connections

    def ask(self, server: Server, question: Question, seconds: float) -> Rate:
        """Ask a question again and again, and return the rate."""
        if question.request:
            request = self.folder / "request"
            request.write_bytes(question.request)
            command: list[Any] = [self.load, str(server.port), str(self.connections), str(seconds), request]
        else:
            command = server.grpc_command(self.connections, seconds)
        process = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
        if process.returncode:
            failure = f"{question.title} ({question.section}): {process.stderr.strip()}"
            sys.exit(f"{failure}; the end of the server's log:\n{server.log_tail()}")
        result = json.loads(process.stdout)
        return Rate(result["requests"] / result["seconds"], result["errors"], result["busy"])


def key(question: Question) -> tuple[str, str]:
    return question.section, question.title


def table(rates: dict[tuple[str, str], list[Rate]]) -> list[list[str]]:
    """The lines of the table, by section."""
    measured = {question: [rate.per_second for rate in question_rates] for question, question_rates in rates.items()}
    rows: list[list[str]] = []
    for section, reference in REFERENCES.items():
        rows.append([section, "median", "best", "ratio", "bar"] if not rows else [section, "", "", "", ""])
        ours = measured.get((section, reference))
        if ours is None:
            rows.append([f"  {reference}", "not measured", "", "", ""])
        titles = [title for its_section, title in measured if its_section == section]
        for title in sorted(titles, key=lambda title: not title.startswith("Nudge")):
            theirs = measured[section, title]
            compared = compare(ours, theirs, bar(section, title)) if title != reference else ["", ""]
            rows.append([f"  {title}", f"{statistics.median(theirs):,.0f}", f"{max(theirs):,.0f}", *compared])
    return rows


def bar(section: str, title: str) -> float | None:
    """The smallest ratio of Nudge's rate to the rate of this line; None if there is none."""
    if title.startswith("computing nothing"):
        return CONSTANT_BARS[section]
    if section == ONE_ROW and not title.startswith("Nudge"):
        return PEER_BAR
    return JSON_BAR if section == JSON_ROWS and title.startswith("MLServer") else None


def compare(ours: Sequence[float] | None, theirs: Sequence[float], bar: float | None) -> list[str]:
    """The ratio, and the bar with whether it is missed."""
    if ours is None:
        return ["", "" if bar is None else f"at least {bar:g}  not measured"]
    ratio = statistics.median(a / b if b else np.inf for a, b in zip(ours, theirs, strict=True))
    verdict = "" if bar is None else f"at least {bar:g}{'' if ratio >= bar else '  MISSED'}"
    return [f"{ratio:.2f}", verdict]


if __name__ == "__main__":
    main()
