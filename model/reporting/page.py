"""The whole page of a report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from model.checkpoint import Checkpoint
from model.messages import count_text
from model.network import parameter_count
from model.reporting.charts import loss_chart
from model.reporting.column_sections import columns_section, dependence_section, importance_section
from model.reporting.elements import Node, element, to_html
from model.reporting.findings import Findings
from model.reporting.metric_sections import metrics_section, outcome_section, rows_sentence, verdict
from model.reporting.number_text import number_text
from model.reporting.style import STYLE

PARTS = {
    "metrics": "How good is it?",
    "outcomes": "Where is it right and wrong?",
    "importance": "Which columns matter?",
    "dependence": "How do predictions depend on them?",
    "columns": "What are the columns?",
    "training": "How was it trained?",
}


@dataclass(frozen=True)
class Names:
    """What the report calls things.

    Attributes:
        checkpoint_file: the name of the checkpoint's file.
        written: when that file was written, as a date.
        file: the name of the file with the rows, or of several.
        columns: the name, the type and the range or categories of each column.
    """

    checkpoint_file: str
    written: str
    file: str
    columns: Sequence[Sequence[str]]


def report_page(findings: Findings, names: Names) -> str:
    """A report as one page of HTML that needs nothing from elsewhere.

    Args:
        findings: what it says.
        names: what it calls things.

    Returns:
        The text of the file.
    """
    checkpoint = findings.checkpoint
    title = f"Predicting {checkpoint.target}"
    sentence, is_better = verdict(findings)
    links = [element("li", {}, element("a", {"href": f"#{part}"}, text)) for part, text in PARTS.items()]
    main = element(
        "main",
        {},
        element("h1", {}, title),
        element("p", {"class": "soft"}, _origin(checkpoint, names)),
        element("p", {"class": f"verdict {'good' if is_better else 'bad'}"}, sentence),
        element("p", {}, rows_sentence(findings, names.file)),
        element("nav", {"aria-label": "Parts of the report"}, element("ul", {}, *links)),
        metrics_section(findings, names.file),
        outcome_section(findings),
        importance_section(findings),
        dependence_section(findings),
        columns_section(findings, names.columns, names.file),
        _training_section(checkpoint, names, findings.rows.notes),
    )
    # The style is no text from a file, so it stands in the page as it is: HTML has no escapes within it.
    style = element("style", {})
    style.text = STYLE
    head = element(
        "head",
        {},
        element("meta", {"charset": "utf-8"}),
        element("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}),
        element("meta", {"name": "color-scheme", "content": "light dark"}),
        element("title", {}, title),
        style,
    )
    return f"<!DOCTYPE html>\n{to_html(element('html', {'lang': 'en'}, head, element('body', {}, main)))}\n"


def _origin(checkpoint: Checkpoint, names: Names) -> str:
    """What is predicted from what, and by which checkpoint."""
    record, classes = checkpoint.training, checkpoint.classes
    kind = f"one of {len(classes):,} classes" if len(classes) > 2 else "one of two classes" if classes else "a number"
    networks = "a network" if checkpoint.member_count == 1 else f"{checkpoint.member_count} networks"
    return (
        f"{checkpoint.target} is {kind}, predicted from {count_text(len(checkpoint.columns), 'column')} by {networks} "
        f"in {names.checkpoint_file}, version {checkpoint.version}, written on {names.written}. Trained on "
        f"{count_text(record.rows, 'row')} of {record.table}."
    )


def _training_section(checkpoint: Checkpoint, names: Names, notes: Sequence[str]) -> Node:
    """How the networks were trained."""
    items = list[Node]()
    for name, text in _training_facts(checkpoint, names):
        items += [element("dt", {}, name), element("dd", {}, text)]
    losses = checkpoint.training.losses
    rarely = f"Training recorded the loss every {checkpoint.training.log_every:,} epochs, too rarely for a curve."
    drawn = loss_chart(losses) if len(losses) > 1 else element("p", {}, rarely)
    told = [element("p", {"class": "soft"}, f"Note on {names.file}: {note}.") for note in notes]
    heading = element("h2", {}, PARTS["training"])
    return element("section", {"id": "training"}, heading, element("dl", {}, *items), drawn, *told)


def _training_facts(checkpoint: Checkpoint, names: Names) -> list[tuple[str, str]]:
    record = checkpoint.training
    dropped = f"; {count_text(record.dropped, 'row')} had no target" if record.dropped else ""
    decays = ", ".join(number_text(decay, 2) for decay in record.weight_decay)
    facts = [
        ("checkpoint", f"{names.checkpoint_file}, version {checkpoint.version}"),
        ("table", f"{record.table}, {count_text(record.rows, 'row')}{dropped}"),
        ("held out", record.split or "no rows"),
        ("networks", "; ".join(_network_texts(checkpoint))),
        ("starts", f"{record.restarts}, of which the best {checkpoint.member_count} are kept; seed {record.seed}"),
        ("epochs", f"{record.epoch:,} of at most {record.epochs:,}; a start ends {record.patience} after its best"),
        ("optimizer", f"{record.optimizer}, learning rate {record.learning_rate:g}, {record.schedule}"),
        ("batches", f"{record.batch_size} rows" if record.batch_size else "all rows"),
        ("weight decay", f"{decays}; gradients are limited to {record.clip:g}" if record.clip else decays),
        ("best loss", number_text(record.loss, 4)),
    ]
    if checkpoint.classes:
        facts.append(("temperature", number_text(checkpoint.temperature)))
    return facts


def _network_texts(checkpoint: Checkpoint) -> list[str]:
    texts = []
    for members in checkpoint.ensemble:
        network = members.network
        bins = "" if members.bins is None else ", seeing bins of the numbers"
        sizes = "-".join(map(str, network.sizes))
        texts.append(
            f"{members.size} with {sizes} units, {network.activation}, {parameter_count(network):,} parameters{bins}"
        )
    return texts
