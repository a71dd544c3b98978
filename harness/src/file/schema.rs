//! The JSON Schema of the file, for editors that complete and check while one types, and for messages that
//! name keys and words.

use std::sync::LazyLock;

use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value};

use super::FileTable;

static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    let mut schema = of::<FileTable>();
    for definition in schema["$defs"].as_object_mut().into_iter().flatten() {
        // The names of the Rust types say nothing to a reader of the schema.
        if let Some(definition) = definition.1.as_object_mut() {
            definition.remove("title");
        }
    }
    schema
});

/// The variant that takes every string, where an enum has it.
pub(super) const TEXT: &str = "text";

/// The variant that takes every table that no other variant takes, where an enum has it.
pub(super) const REST: &str = "exchange";

/// The JSON Schema of `tcprove.toml`.
pub fn schema() -> Value {
    SCHEMA.clone()
}

fn of<T: JsonSchema>() -> Value {
    SchemaSettings::draft2020_12()
        .with_transform(RecursiveTransform(in_one_line))
        .with_transform(RecursiveTransform(without_null))
        .with_transform(RecursiveTransform(as_written))
        .into_generator()
        .into_root_schema_for::<T>()
        .to_value()
}

/// Documentation is wrapped for the reader of the source only.
fn in_one_line(schema: &mut Schema) {
    if let Some(Value::String(text)) = schema.get_mut("description") {
        *text = text.replace('\n', " ");
    }
}

/// TOML has no null: what may be absent is not required, and that is all.
fn without_null(schema: &mut Schema) {
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            schema.insert("type".to_owned(), only);
        }
    }
    let Some(Value::Array(choices)) = schema.get_mut("anyOf") else {
        return;
    };
    choices.retain(|choice| choice != &serde_json::json!({ "type": "null" }));
    if let [Value::Object(only)] = choices.as_slice() {
        let only = only.clone();
        schema.remove("anyOf");
        put(schema, only);
    }
}

/// The alternatives of an enum as the file writes them, see [`super::de`]: the variant `Text` is a string of
/// its own, the variant `Exchange` a table of its own, and the fields of a struct variant stand beside its name.
fn as_written(schema: &mut Schema) {
    let Some(Value::Array(choices)) = schema.get_mut("oneOf") else {
        return;
    };
    for choice in choices {
        let Some(Value::Object(properties)) = choice.get("properties") else {
            continue;
        };
        let Some((tag, inner)) = properties.iter().next() else {
            continue;
        };
        let beside = inner.pointer(&format!("/properties/{tag}")).is_some();
        if !beside && tag != TEXT && tag != REST {
            continue;
        }
        let mut written = inner.clone();
        if let (Some(about), Some(written)) = (choice.get("description"), written.as_object_mut()) {
            written.insert("description".to_owned(), about.clone());
        }
        *choice = written;
    }
}

fn put(schema: &mut Schema, all: Map<String, Value>) {
    for (key, value) in all {
        schema.insert(key, value);
    }
}

/// A table that an enum can be.
pub(super) struct Table {
    /// The key that says which it is: its first.
    pub(super) tag: String,
    /// All its keys.
    pub(super) keys: Vec<String>,
}

/// The tables that the enum `name` can be.
pub(super) fn tables(name: &str) -> Vec<Table> {
    choices(name)
        .iter()
        .filter_map(|choice| {
            let properties = choice.get("properties")?.as_object()?;
            let tag = choice.pointer("/required/0")?.as_str()?;
            Some(Table {
                tag: tag.to_owned(),
                keys: properties.keys().cloned().collect(),
            })
        })
        .collect()
}

/// The words that the enum `name` can be.
pub(super) fn words(name: &str) -> Vec<String> {
    let words = |schema: &Value| {
        let listed = schema.get("enum").and_then(Value::as_array);
        let listed = listed.into_iter().flatten();
        let words = listed.chain(schema.get("const")).filter_map(Value::as_str);
        words.map(str::to_owned).collect::<Vec<_>>()
    };
    let mut found = words(definition(name));
    found.extend(choices(name).iter().flat_map(words));
    found
}

/// What the schema says about a key of the struct or the enum `name`.
pub(super) fn about(name: &str, key: &str) -> Option<String> {
    let text = |schema: &Value| Some(schema.get("description")?.as_str()?.to_owned());
    let property = |schema: &Value| schema.pointer(&format!("/properties/{key}")).and_then(text);
    let about = property(definition(name));
    let about = about.or_else(|| choices(name).iter().find_map(property))?;
    Some(format!("`{key}`: {about}"))
}

fn definition(name: &str) -> &'static Value {
    SCHEMA
        .pointer(&format!("/$defs/{name}"))
        .unwrap_or(&Value::Null)
}

fn choices(name: &str) -> &'static [Value] {
    let choices = definition(name).get("oneOf").and_then(Value::as_array);
    choices.map_or(&[], Vec::as_slice)
}
