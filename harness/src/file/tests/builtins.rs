//! The built-in talks, the file that `init` writes, and the schema.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use crate::file;
use crate::file::{BUILTIN, builtin, check_placeholders, init, schema};
use crate::talk::{Bindings, Tokens};

#[test]
fn every_built_in_talk_is_read_and_renders() {
    let mut tokens = Tokens::new(1);
    for (name, source, about) in BUILTIN {
        file::parse(source, name, Path::new(".")).unwrap_or_else(|error| panic!("{error}"));
        let file = builtin(name).unwrap();
        let talk = &file.talk;
        assert_eq!(talk.name, *name);
        assert!(!about.is_empty());
        assert!(
            talk.payload_turns().next().is_some(),
            "{name} has no turn with a payload"
        );
        let bindings = Bindings {
            tok: tokens.next(),
            payload: "né\0e".as_bytes().to_vec(),
            ..Bindings::default()
        };
        assert!(talk.payload_is_safe(&bindings.payload), "{name}");
        for exchange in talk.turns.iter().chain(&talk.bad) {
            let turn = exchange.render(talk, &bindings).unwrap();
            assert!(!turn.request.is_empty(), "{}", turn.label);
        }
        check_placeholders(&file.server.unwrap()).unwrap();
    }
    assert!(builtin("gopher").is_none());
}

#[test]
fn what_init_writes_works_as_it_stands() {
    for (name, _, _) in BUILTIN {
        let text = init(name).unwrap();
        file::parse(&text, "tcprove.toml", Path::new("."))
            .unwrap_or_else(|error| panic!("{error}"));
        for key in keys_of(&schema()) {
            // Schema fields that stand for something else, or are not supported yet.
            if !["request", "reply", "at", "header", "raw", "n", "file"].contains(&key.as_str()) {
                assert!(text.contains(&key), "`{key}` is not explained");
            }
        }
    }
    assert!(init("gopher").is_none());
}

#[test]
fn nginx_announces_its_close() {
    let talk = builtin("http").unwrap().talk;
    let head = "HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n";
    let last = format!("{head}Connection: close\r\n\r\nhello\n");
    let other = format!("{head}Connection: keep-alive\r\n\r\nConnection: close\r\n");
    assert!(talk.announces_close(last.as_bytes()));
    assert!(!talk.announces_close(other.as_bytes()));
}

#[test]
fn another_program_keeps_only_the_promises_of_the_protocol() {
    let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let same = builtin("line")
        .unwrap()
        .with_cmd(words("./tcprove serve {port}"));
    assert_eq!(same.promise.max_message, Some(65536));
    let other = builtin("http")
        .unwrap()
        .with_cmd(words("python3 -m http.server {port}"));
    assert_eq!(
        (other.promise.pipelining, other.promise.drains_on_stop),
        (Some(true), None)
    );
    assert_eq!(other.name, "python3");
    assert_eq!(other.server.unwrap().stop, libc::SIGTERM);
    let typo = builtin("line").unwrap().with_cmd(words("my {prot}"));
    let error = check_placeholders(&typo.server.unwrap()).unwrap_err();
    assert!(error.contains("did you mean `port`?"), "{error}");
}

/// All property names in a schema.
fn keys_of(schema: &Value) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    match schema {
        Value::Object(object) => {
            if let Some(Value::Object(properties)) = object.get("properties") {
                keys.extend(properties.keys().cloned());
            }
            object
                .values()
                .for_each(|value| keys.extend(keys_of(value)));
        }
        Value::Array(list) => list.iter().for_each(|value| keys.extend(keys_of(value))),
        _ => {}
    }
    keys
}

#[test]
fn every_built_in_talk_conforms_to_the_schema() {
    let schema = schema();
    for (name, source, _) in BUILTIN {
        let value: Value = toml::from_str(source).unwrap();
        let wrong = conforms(&schema, &schema, &value);
        assert!(wrong.is_empty(), "{name}: {wrong:?}");
    }
    let turn = |turn: Value| serde_json::json!({ "talk": { "frame": "none", "turn": [turn] } });
    let right = turn(serde_json::json!({ "send": { "repeat": "a", "n": 9 }, "expect": "eof" }));
    assert_eq!(conforms(&schema, &schema, &right), [""; 0]);
    for right in [
        serde_json::json!({ "send": "a", "expect": ["b", { "regex": "c" }], "frame": { "until": ["a", { "hex": "00" }] } }),
        serde_json::json!({ "send": "a", "expect": { "none": true }, "head": { "hex": "30" } }),
        serde_json::json!({ "send": "a", "expect": { "json": "1" }, "frames": { "until": { "hex": "5a" } } }),
        serde_json::json!({ "send": "a", "expect": "b", "name": "c", "after": ["d"], "once": true, "last": false }),
        serde_json::json!({ "send": "a", "expect": "b", "frame": { "len": "decimal", "until": ":", "after": "," } }),
        serde_json::json!({ "send": "a", "expect": "b", "frame": { "len": "u8", "header": 4, "masked": 127 } }),
        serde_json::json!({ "send": "a", "expect": "b", "frame": { "header": "Content-Length" } }),
        serde_json::json!({ "send": "a", "expect": "b", "frame": "websocket" }),
    ] {
        assert_eq!(
            conforms(&schema, &schema, &turn(right.clone())),
            [""; 0],
            "{right}"
        );
    }
    for wrong in [
        serde_json::json!({ "send": "a", "expect": { "none": 1 } }),
        serde_json::json!({ "send": "a", "expect": "b", "frames": {} }),
        serde_json::json!({ "send": "a", "expect": "b", "frame": { "len": "u7" } }),
        serde_json::json!({ "send": "a", "expect": "b", "once": "yes" }),
        serde_json::json!({ "send": 1, "expect": "b" }),
        serde_json::json!({ "expect": "b" }),
        serde_json::json!({ "send": "a" }),
        serde_json::json!({ "send": { "repeat": "a" }, "expect": "b" }),
        serde_json::json!({ "send": { "text": "a" }, "expect": "b" }),
        serde_json::json!({ "send": "a", "expect": "b", "frame": { "until": "a", "at": 1 } }),
        serde_json::json!({ "send": "a", "expect": "b", "frame": null }),
    ] {
        assert!(
            !conforms(&schema, &schema, &turn(wrong.clone())).is_empty(),
            "{wrong}"
        );
    }
    assert!(!conforms(&schema, &schema, &serde_json::json!({})).is_empty());
}

/// Checks `value` with the subset of JSON Schema that our schema uses. Returns the violations.
fn conforms(root: &Value, schema: &Value, value: &Value) -> Vec<String> {
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        let target = root.pointer(reference.trim_start_matches('#')).unwrap();
        let mut wrong = conforms(root, target, value);
        let beside: Value = without(schema, "$ref");
        wrong.extend(conforms(root, &beside, value));
        return wrong;
    }
    for any in ["anyOf", "oneOf"] {
        if let Some(choices) = schema.get(any).and_then(Value::as_array) {
            let fits = choices
                .iter()
                .any(|choice| conforms(root, choice, value).is_empty());
            return if fits {
                Vec::new()
            } else {
                vec![format!("no choice fits {value}")]
            };
        }
    }
    let mut wrong = Vec::new();
    if let Some(kind) = schema.get("type") {
        let kinds: Vec<&str> = match kind {
            Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
            kind => kind.as_str().into_iter().collect(),
        };
        if !kinds.contains(&kind_of(value)) {
            return vec![format!("{value} is none of {kinds:?}")];
        }
    }
    if let Some(allowed) = schema.get("enum").and_then(Value::as_array)
        && !allowed.contains(value)
    {
        wrong.push(format!("{value} is none of {allowed:?}"));
    }
    if let (Some(items), Some(list)) = (schema.get("items"), value.as_array()) {
        wrong.extend(list.iter().flat_map(|item| conforms(root, items, item)));
    }
    let Some(object) = value.as_object() else {
        return wrong;
    };
    for (key, value) in object {
        match schema.pointer(&format!("/properties/{key}")) {
            Some(property) => wrong.extend(conforms(root, property, value)),
            None if schema.get("additionalProperties") == Some(&Value::Bool(false)) => {
                wrong.push(format!("unknown key {key}"));
            }
            None => {}
        }
    }
    let required = schema.get("required").and_then(Value::as_array);
    for key in required.into_iter().flatten().filter_map(Value::as_str) {
        if !object.contains_key(key) {
            wrong.push(format!("{key} is missing"));
        }
    }
    wrong
}

fn without(schema: &Value, key: &str) -> Value {
    let mut schema = schema.clone();
    if let Some(object) = schema.as_object_mut() {
        object.remove(key);
    }
    schema
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
