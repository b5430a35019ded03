"""Nudge compared with other servers (its peers): requests per second for one row and for 1,000 rows.

    python -m bench.serving --peers mlserver=/path/to/python,litserve=/path/to/python

All servers have one worker and the same network. They all run at the same time and are asked in turns, by a client in C
(load.c). It needs a C compiler (`cc`, or $CC). README.md in this folder says how to install the peers.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from safetensors.numpy import load_file

from bench.c_compiler import compile_program, missing
from bench.comparisons import Comparison, LeftOut, Part
from bench.part import add_options
from bench.serving.forward import Forward
from bench.serving.questions import BINARY_ROWS, JSON_ROWS, ONE_ROW, RANDOM_ROWS, Question, questions
from bench.serving.servers import CONSTANT, PEERS, ROOT, TOLERANCE, Server, WrongAnswer

# The smallest ratios of Nudge's rate to those of others. Computing nothing has two: for one row, and for 1,000.
CONSTANT_BARS, PEER_BAR, JSON_BAR = {ONE_ROW: 1.5, BINARY_ROWS: 0.9}, 1.0, 1.3
# How long each question is asked before it is measured.
WARM_UP_SECONDS = 1.0
# The line of each section to which the others are compared.
REFERENCES = {ONE_ROW: "Nudge, GET /predict", JSON_ROWS: "Nudge, V2", BINARY_ROWS: "Nudge, V2 with binary tensors"}
COMPILER_FLAGS = ("-O2",)


def main() -> None:
    options = parse()
    # So that SIGTERM stops the servers too.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    part = measure(options)
    print(part.text())
    if options.json:
        options.json.write_text(json.dumps(part.to_json()), encoding="utf-8")


def measure(options: argparse.Namespace) -> Part:
    """The rates of Nudge and of all other servers, in turns."""
    left_out = [LeftOut(name, f"there is no --peers {name}=PYTHON") for name in PEERS if name not in options.peers]
    if missing() or sys.platform != "linux":
        return Part(left_out=[LeftOut("The service", missing() or "its client needs Linux")])
    seconds = 0.2 if options.tiny else options.seconds
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        client = Client(compile_load(folder), folder, options.connections)
        servers, asked = start_servers(stack, options.peers, folder, left_out)
        for question in asked:
            client.ask(servers[question.server], question, WARM_UP_SECONDS)
        rates: dict[tuple[str, str], list[Rate]] = {key(question): [] for question in asked}
        for _ in range(options.turns):
            for question in asked:
                rates[key(question)].append(client.ask(servers[question.server], question, seconds))
    all_rates = [rate for question_rates in rates.values() for rate in question_rates]
    errors, busy = sum(rate.errors for rate in all_rates), max(rate.busy for rate in all_rates)
    note = (
        f"Requests per second over {options.connections} connections to one worker. All answers were right within "
        f"{TOLERANCE:g} before. Errors: {errors}. The client was busy for at most {busy:.0%} of a core."
    )
    return Part(comparisons(rates), left_out=left_out, notes=[note])


def start_servers(
    stack: ExitStack, peers: dict[str, str], folder: Path, left_out: list[LeftOut]
) -> tuple[dict[str, Server], list[Question]]:
    """The servers that answer rightly, and what each is asked. Who is left out is added to the list."""
    forward = write_network(folder)
    servers: dict[str, Server] = {}
    asked: list[Question] = []
    for name, python in (dict.fromkeys(("nudge", *CONSTANT), sys.executable) | peers).items():
        server = Server(name, python, folder)
        stack.callback(server.stop)
        own = [question for question in questions() if question.server == name]
        try:
            server.wait(own[0], forward)
        except WrongAnswer as error:
            left_out.append(LeftOut(name, str(error)))
            continue
        servers[name] = server
        for question in own:
            try:
                server.check(question, forward)
                asked.append(question)
            except (WrongAnswer, OSError) as error:
                left_out.append(LeftOut(f"{question.title} ({question.section})", str(error)))
    return servers, asked


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.serving", description=(__doc__ or "").splitlines()[0])
    add_options(parser)
    parser.add_argument("--peers", type=peers, default={}, help="name=PYTHON,… of their environments")
    parser.add_argument("--seconds", type=float, default=5.0, help="length of each measurement (5)")
    parser.add_argument("--connections", type=int, default=8, help="connections that ask at the same time (8)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results to this file too")
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
    return compile_program(Path(__file__).with_name("load.c"), folder / "load", COMPILER_FLAGS)


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


def comparisons(rates: dict[tuple[str, str], list[Rate]]) -> list[Comparison]:
    """The reference of each section beside all others of it."""
    measured = {question: [rate.per_second for rate in question_rates] for question, question_rates in rates.items()}
    found = []
    for section, reference in REFERENCES.items():
        ours = measured.get((section, reference))
        if ours is None:
            continue
        others = {title: runs for (its_section, title), runs in measured.items() if its_section == section}
        for title in sorted(others, key=lambda title: not title.startswith("Nudge")):
            if title != reference:
                what = f"{section}: {reference}"
                found.append(Comparison(what, title, "1/s", ours, others[title], bar(section, title)))
    return found


def bar(section: str, title: str) -> float | None:
    """The smallest ratio of Nudge's rate to the rate of this line; None if there is none."""
    if title.startswith("computing nothing"):
        return CONSTANT_BARS[section]
    if section == ONE_ROW and not title.startswith("Nudge"):
        return PEER_BAR
    return JSON_BAR if section == JSON_ROWS and title.startswith("MLServer") else None


if __name__ == "__main__":
    main()
