"""The parts of the OpenAPI document that depend on a model's columns and task: its paths and its schemas."""

from __future__ import annotations

from model.tables.columns import CategoricalColumn, ColumnSpec, NumericColumn
from model.tables.date_columns import DateColumn
from model.tables.date_spelling import DIGITS, EXAMPLES, describe_date
from model.tables.json_values import number_text
from model.tables.parsing import MISSING, one_of
from model.tables.spelling import PLAIN_NUMBER
from serve.loaded_model import Model
from serve.openapi_numbers import json_number, query_number
from serve.openapi_parts import TEXT, Schema, array_of, content, object_of, operation, reference


def predict_operations(model: Model, component: str, name: str, max_rows: int, refusals: tuple[int, ...]) -> Schema:
    """The operations of a path that predicts: GET for one row, POST for one or many."""
    columns = zip(model.checkpoint.columns, model.checkpoint.column_specs, strict=True)
    row, answers = reference(f"{component}.row"), reference(f"{component}.answer")
    rows = {"oneOf": [row, array_of(row, maxItems=max_rows)]}
    return {
        "get": operation(
            f"{name}_row",
            f"Predict {model.checkpoint.target} of one row.",
            content("The prediction.", answers),
            refusals,
            parameters=[
                {"name": column, "in": "query", "required": not spec.missing, "schema": _query_value(spec)}
                for column, spec in columns
            ],
        ),
        "post": operation(
            f"{name}_rows",
            f"Predict {model.checkpoint.target} of a row, or of several.",
            content("The prediction, or an array of them.", {"oneOf": [answers, array_of(answers)]}),
            (*refusals, 413, 415),
            requestBody={"required": True, "content": {"application/json": {"schema": rows}}},
        ),
    }


def model_schemas(model: Model, component: str) -> Schema:
    """The schemas of a model's rows and answers."""
    columns = dict(zip(model.checkpoint.columns, model.checkpoint.column_specs, strict=True))
    row = {
        "type": "object",
        "properties": {name: _json_value(column) for name, column in columns.items()},
        "required": [name for name, column in columns.items() if not column.missing],
        "additionalProperties": False,
    }
    classes = list(model.checkpoint.classes)
    chance = {"type": "number", "minimum": 0, "maximum": 1}
    predictions = {
        "binary": chance,
        "multiclass": object_of(**{str(name): chance for name in classes}),
        "regression": {"type": "number"},
    }
    properties: Schema = {"prediction": predictions[model.checkpoint.task]}
    if classes:
        properties["label"] = {"enum": classes, "description": _label_rule(model)}
    if model.checkpoint.member_count > 1:
        properties["spread"] = {"type": "number", "minimum": 0}
    if model.checkpoint.residuals.margin:
        text = "The target of nine rows of ten is between these two."
        properties["interval"] = array_of({"type": "number"}, description=text, minItems=2, maxItems=2)
    answers = object_of(**properties, model={"const": model.name}, version=TEXT)
    if any(column.is_open for column in columns.values()):
        answers["properties"]["notes"] = array_of(TEXT, description="Values that training never saw.", minItems=1)
    return {f"{component}.row": row, f"{component}.answer": answers}


def _label_rule(model: Model) -> str:
    classes = model.checkpoint.classes
    if len(classes) > 2:
        return "The likeliest class."
    return f"{classes[1]} if the prediction is at least {model.checkpoint.threshold:.6g}, otherwise {classes[0]}."


def _date(column: DateColumn) -> Schema:
    kinds = {"time": "time", "ym": "date"}
    has_times = "hour" in column.parts
    value: Schema = {"type": "string", "format": kinds.get(column.style, "date-time" if has_times else "date")}
    if column.style == DIGITS:
        example = {"type": "integer", "description": f"as it was written in training, such as {EXAMPLES[DIGITS]}"}
        value = {"anyOf": [value, example]}
    if column.minimum is not None and column.maximum is not None:
        ends = [describe_date(end, column.style) for end in (column.minimum, column.maximum)]
        value["description"] = f"{' to '.join(ends)} in training; as it was written there, or as in ISO 8601"
    return value


def _categories(column: CategoricalColumn) -> str:
    return f"{one_of(column.categories)}, or a text that training never saw"


def _unless_missing(column: CategoricalColumn) -> Schema:
    return {} if column.missing or column.is_open else {"not": {"enum": list(MISSING)}}


def _json_value(column: ColumnSpec) -> Schema:
    missing = column.missing or column.is_open
    if isinstance(column, NumericColumn):
        return json_number(column)
    if isinstance(column, DateColumn):
        value = _date(column)
        return {"anyOf": [value, {"enum": [*MISSING, *column.absent, None]}]} if missing else value
    if column.is_pooled or column.is_open:
        others = {"boolean": column.boolean, "number": True, "null": missing}
        types = ["string", *(name for name, is_taken in others.items() if is_taken)]
        return {"type": types, "description": _categories(column)} | _unless_missing(column)
    texts = [*column.categories, *MISSING] if column.missing else [*column.categories]
    booleans = [text == "true" for text in column.categories] if column.boolean else []
    numbers = [float(text) for text in column.categories if PLAIN_NUMBER.fullmatch(text)]
    numbers = [number for number in numbers if number_text(number) in column.categories]
    return {"enum": [*texts, *numbers, *booleans, *([None] if column.missing else [])]}


def _query_value(column: ColumnSpec) -> Schema:
    missing = list(MISSING) if column.missing or column.is_open else []
    if isinstance(column, CategoricalColumn) and (column.is_pooled or column.is_open):
        return {"type": "string", "description": _categories(column)} | _unless_missing(column)
    if isinstance(column, CategoricalColumn):
        return {"type": "string", "enum": [*column.categories, *missing]}
    if isinstance(column, NumericColumn):
        return query_number(column)
    value = _date(column)
    if missing:
        missing += column.absent
    return {"anyOf": [value, {"enum": missing}]} if missing else value
