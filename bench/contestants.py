"""Programs in processes of their own, each asked in its turn."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
# A cache would hide the compiling, flags may change the programs, and polars sets the last one to tell its allocator
# how to treat this process.
DROPPED_VARIABLES = ("JAX_COMPILATION_CACHE_DIR", "XLA_FLAGS", "_RJEM_MALLOC_CONF")


def clean_environment(**variables: str) -> dict[str, str]:
    """The environment, without what would change a measurement, and with these variables.

    Everything runs on the processor; `bench.gpu` is for the others.
    """
    kept = {name: value for name, value in os.environ.items() if name not in DROPPED_VARIABLES}
    return kept | {"PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": ""} | variables


def ask_once(module: str, *arguments: str, python: str = sys.executable) -> Any:
    """What a module prints as JSON in a process of its own, which does nothing else."""
    command = [python, "-m", module, *arguments]
    process = subprocess.run(command, cwd=ROOT, env=clean_environment(), stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(process.stdout.splitlines()[-1])


class Contestant:
    """A process that measures what it is asked for, again and again, so that its programs stay compiled.

    Args:
        module: is run with the arguments. It calls `answer_questions`.
        python: the interpreter.
    """

    def __init__(self, module: str, *arguments: str, python: str = sys.executable) -> None:
        command = [python, "-m", module, *arguments]
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=clean_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, question: Any = None) -> Any:
        """The answer to a question, both as JSON."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            sys.exit(f"a program that is measured ended with status {self.process.wait()}; its error is above")
        return json.loads(answer)

    def __enter__(self) -> Contestant:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()


def answer_questions(answer: Callable[[Any], Any]) -> None:
    """Answer each line of the standard input with a line. What else is printed goes to the standard error."""
    answers, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), file=answers, flush=True)


def in_turns(contestants: Mapping[str, Contestant], turns: int, question: Any = None) -> dict[str, list[Any]]:
    """The answers of all contestants, who take turns. The first turn only warms up."""
    answers: dict[str, list[Any]] = {name: [] for name in contestants}
    for turn in range(1 + turns):
        for name, contestant in contestants.items():
            answer = contestant.ask(question)
            if turn:
                answers[name].append(answer)
    return answers


def started(stack: ExitStack, commands: Mapping[str, tuple[str, ...]], module: str) -> dict[str, Contestant]:
    """A contestant for each (interpreter, argument, …), which ends with the stack."""
    return {
        name: stack.enter_context(Contestant(module, *arguments, python=python))
        for name, (python, *arguments) in commands.items()
    }
