"""The parts of the OpenAPI document for learners, which are there if a process computes for them."""

from __future__ import annotations

from typing import Any

import msgspec

from serve import learning_messages as messages
from serve.openapi_parts import INTEGER, TEXT, Schema, array_of, content, object_of, operation, reference
from serve.routes import LEARN_PREFIX

_NUMBER: Schema = {"type": "number"}
# What is not finite is null.
_LOSS: Schema = {"type": ["number", "null"]}
_FLAG: Schema = {"type": "boolean"}
_BYTES: Schema = {"type": "string", "format": "binary"}
# The bytes of float32, little-endian.
_PICTURE: Schema = {"type": "string", "contentEncoding": "base64"}
_REFUSALS = (400, 413, 415, 503)


def learn_schemas() -> Schema:
    """The schemas of what learners send, and of what several answers hold."""
    kinds = [kind for _, kind, _, _ in _json_endpoints()]
    _, components = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    numbers, matrices = array_of(_LOSS), array_of(array_of(_LOSS))
    layer = object_of(weight=matrices, bias=numbers)
    table = object_of(
        columns=array_of(TEXT),
        target=TEXT,
        classes=array_of({"type": ["string", "integer"]}),
        task={"enum": ["binary", "multiclass", "regression"]},
        x=array_of(array_of(_NUMBER)),
        y=array_of(_NUMBER),
        lows=array_of(_NUMBER),
        highs=array_of(_NUMBER),
    )
    surface = object_of(
        size=INTEGER,
        xs=array_of(_NUMBER),
        ys=array_of(_NUMBER),
        units=array_of(array_of(_PICTURE)),
        outputs=array_of(_PICTURE),
    )
    return {**components, "Layer": layer, "LearnedTable": table, "Surface": surface}


def learn_paths() -> Schema:
    """The paths for learners."""
    paths: Schema = {
        f"{LEARN_PREFIX}presets": {
            "get": operation("learn_presets", "What a learner can choose.", _answer(_presets()), (503,))
        },
        f"{LEARN_PREFIX}csv": {"post": _csv()},
    }
    for name, kind, summary, answer in _json_endpoints():
        body = {"required": True, "content": {"application/json": {"schema": reference(kind.__name__)}}}
        named = f"learn_{name.replace('-', '_')}"
        paths[f"{LEARN_PREFIX}{name}"] = {"post": operation(named, summary, answer, _REFUSALS, requestBody=body)}
    paths[f"{LEARN_PREFIX}checkpoint"]["put"] = operation(
        "learn_upload",
        "What a checkpoint of one network holds.",
        _answer(_upload()),
        _REFUSALS,
        requestBody={"required": True, "content": {"application/octet-stream": {"schema": _BYTES}}},
    )
    return paths


def _json_endpoints() -> tuple[tuple[str, type[messages.Message], str, Schema], ...]:
    """The endpoints that take JSON: the name, what it takes, what it is for, and its answer."""
    params = array_of(reference("Layer"))
    start = object_of(index=INTEGER, params=params, loss=_LOSS, solved=_FLAG, surface=_PICTURE)
    script = content("A script of Python.", TEXT, "text/x-python")
    return (
        ("table", messages.TableRequest, "The rows of a table.", _answer(reference("LearnedTable"))),
        ("start", messages.StartRequest, "The params of a random start.", _answer(object_of(params=params))),
        ("forward", messages.ForwardRequest, "What a network makes of every row.", _answer(_forward())),
        ("gradients", messages.GradientsRequest, "The gradient by four derivations.", _answer(_gradients(params))),
        ("trace", messages.TraceRequest, "A row forwards and backwards, step by step.", _answer(_trace())),
        ("train", messages.TrainRequest, "Train for a stretch of epochs.", _answer(_train(params))),
        ("surface", messages.SurfaceRequest, "What every unit answers on a grid.", _answer(reference("Surface"))),
        ("why-stuck", messages.StuckRequest, "Why a network does not learn.", _answer(_stuck(params))),
        (
            "starts",
            messages.StartsRequest,
            "Train from several random starts.",
            _answer(object_of(starts=array_of(start))),
        ),
        (
            "checkpoint",
            messages.CheckpointRequest,
            "A checkpoint of the network.",
            content("Its bytes.", _BYTES, "application/octet-stream"),
        ),
        ("python", messages.PythonRequest, "A script that reproduces the numbers.", script),
    )


def _answer(schema: Schema) -> Schema:
    return content("The answer.", schema)


def _presets() -> Schema:
    table = object_of(name=TEXT, kind={"enum": ["truth", "points"]}, columns=array_of(TEXT), target=TEXT)
    names = array_of(TEXT)
    return object_of(
        tables=array_of(table),
        activations=names,
        inits=names,
        optimizers=names,
        limits={"type": "object"},
        defaults=object_of(
            **{name: reference(f"{name.capitalize()}Message") for name in ("network", "training", "start", "table")}
        ),
    )


def _csv() -> Schema:
    further = object_of(
        notes=array_of(TEXT), numeric=array_of(INTEGER), targets=array_of(TEXT), encoding=reference("EncodingMessage")
    )
    target = {"name": "target", "in": "query", "required": False, "schema": TEXT}
    return operation(
        "learn_csv",
        "A learner's own table, with its inputs encoded and scaled.",
        _answer({"allOf": [reference("LearnedTable"), further]}),
        _REFUSALS,
        parameters=[target],
        requestBody={"required": True, "content": {"text/csv": {"schema": TEXT}}},
    )


def _forward() -> Schema:
    layers = array_of(array_of(array_of(_LOSS)))
    return object_of(
        preactivations=layers,
        activations=layers,
        predictions=array_of({"anyOf": [_LOSS, array_of(_LOSS)]}),
        labels=array_of({}),
        losses=array_of(_LOSS),
        loss=_LOSS,
        right={"type": ["integer", "null"]},
        solved=_FLAG,
    )


def _gradients(params: Schema) -> Schema:
    point = object_of(epsilon=_NUMBER, nudge=_LOSS, error=_LOSS)
    numbers = ("loss_above", "loss_below", "nudge", "error", "jvp", "chain_rule", "grad")
    sentences = ("large_reason", "small_reason", "at_epsilon", "sentence")
    parameter = object_of(
        **{"name": TEXT, "value": _NUMBER, "epsilon": _NUMBER, "curve": array_of(point), "kink": _FLAG},
        **dict.fromkeys(numbers, _LOSS),
        **dict.fromkeys(sentences, TEXT),
    )
    grads = object_of(**dict.fromkeys(("nudge", "jvp", "chain_rule", "grad"), params))
    return object_of(loss=_LOSS, grads=grads, parameter={"anyOf": [parameter, {"type": "null"}]})


def _trace() -> Schema:
    place = {"type": ["integer", "null"]}
    texts = ("name", "kind", "formula", "numbers", "text", "sentence")
    step = object_of(**{"result": _LOSS, "layer": place, "unit": place, "input": place}, **dict.fromkeys(texts, TEXT))
    return object_of(
        row=INTEGER,
        target=_NUMBER,
        prediction={"anyOf": [_LOSS, array_of(_LOSS)]},
        loss=_LOSS,
        loss_after=_LOSS,
        steps=array_of(step),
    )


def _train(params: Schema) -> Schema:
    return object_of(
        params=params,
        opt_state=array_of({}),
        losses=array_of(object_of(epoch=INTEGER, loss=_LOSS)),
        loss=_LOSS,
        diverged=_FLAG,
        surface={"anyOf": [reference("Surface"), {"type": "null"}]},
    )


def _stuck(params: Schema) -> Schema:
    finding = object_of(kind=TEXT, sentence=TEXT, params={"anyOf": [params, {"type": "null"}]})
    further = {"type": ["integer", "null"]}
    return object_of(
        solved=_FLAG, loss=_LOSS, reason=TEXT, further_epochs=further, findings=array_of(finding), text=TEXT
    )


def _upload() -> Schema:
    named: dict[str, Any] = {
        name: reference(f"{name.capitalize()}Message") for name in ("network", "training", "start")
    }
    return object_of(
        **named,
        params=array_of(reference("Layer")),
        table={"anyOf": [reference("TableMessage"), {"type": "null"}]},
        columns=array_of(TEXT),
        target=TEXT,
        classes=array_of({"type": ["string", "integer"]}),
        epoch=INTEGER,
    )
