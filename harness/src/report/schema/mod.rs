//! The JSON Schema (2020-12) of the JSON report. It is made from the types that are written, so it cannot differ from them.

use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value, json};

use super::Report;

/// What the units at the ends of names mean, longest first.
const UNITS: [(&str, &str); 12] = [
    ("_bytes_per_s", "B/s"),
    ("_per_s", "1/s"),
    ("_us_per_op", "µs"),
    ("bytes_per_s", "B/s"),
    ("_bytes", "B"),
    ("_percent", "%"),
    ("_pct", "%"),
    ("_cores", "cores"),
    ("_ms", "ms"),
    ("_us", "µs"),
    ("_ns", "ns"),
    ("_s", "s"),
];

/// Keywords whose schemas apply to the same object as the schema that contains them.
const COMBINERS: [&str; 3] = ["allOf", "anyOf", "oneOf"];

/// The schema of a report whose plan is one of `P`. No field may be there that it does not describe.
pub(crate) fn schema<P: JsonSchema>() -> Value {
    let mut generator = SchemaSettings::draft2020_12()
        .for_serialize()
        .with_transform(RecursiveTransform(in_one_line))
        .with_transform(RecursiveTransform(with_units))
        .with_transform(RecursiveTransform(with_words))
        .into_generator();
    // The plans of the features are made by the commands, which a report knows nothing about.
    let plan = generator.subschema_for::<P>();
    let mut root = generator.into_root_schema_for::<Report>().to_value();
    root["title"] = json!("Report of tcprove");
    root["description"] = json!(
        "What --json writes. Fields are added in later versions; none changes its meaning or unit without another `schema`."
    );
    root["properties"]["plan"] = json!({
        "description": "What the run was to do; null if that was not decided yet.",
        "anyOf": [plan, { "type": "null" }],
    });
    closed(root)
}

/// Documentation is wrapped for the reader of the source only, and links lead into the source.
fn in_one_line(schema: &mut Schema) {
    if let Some(Value::String(text)) = schema.get_mut("description") {
        *text = text
            .replace('\n', " ")
            .replace("[`", "`")
            .replace("`]", "`");
    }
}

/// Adds the unit that the name of a field ends with.
fn with_units(schema: &mut Schema) {
    let Some(Value::Object(properties)) = schema.get_mut("properties") else {
        return;
    };
    for (name, property) in properties {
        let unit = UNITS.iter().find(|(end, _)| name.ends_with(end));
        if let (Some((_, unit)), Some(property)) = (unit, property.as_object_mut()) {
            property.insert("x-unit".to_owned(), json!(unit));
        }
    }
}

/// Describes the fields of types of the standard library, and those that tell alternatives apart.
fn with_words(schema: &mut Schema) {
    let words = [
        ("secs", "Whole seconds."),
        ("nanos", "Nanoseconds beyond them."),
        ("Ok", "What was measured."),
        ("Err", "Why nothing was measured."),
    ];
    let Some(Value::Object(properties)) = schema.get_mut("properties") else {
        return;
    };
    for property in properties.values_mut().filter_map(Value::as_object_mut) {
        if property.contains_key("const") {
            let about = "Says which of the alternatives this is.";
            property.entry("description").or_insert(json!(about));
        }
    }
    for (name, about) in words {
        if let Some(Value::Object(property)) = properties.get_mut(name) {
            property.entry("description").or_insert(json!(about));
        }
    }
}

/// Refuses fields that are not described, in every object that is described.
fn closed(mut root: Value) -> Value {
    let definitions = root["$defs"].take();
    let definitions = definitions.as_object().cloned().unwrap_or_default();
    let closer = Closer { definitions };
    let all = closer.definitions.iter();
    let all: Map<String, Value> = all
        .map(|(name, schema)| (name.clone(), closer.close(schema.clone())))
        .collect();
    root = closer.close(root);
    root["$defs"] = Value::Object(all);
    root
}

/// Closes objects, given the definitions as they are without that.
struct Closer {
    definitions: Map<String, Value>,
}

impl Closer {
    /// Closes a schema that describes the whole of a value.
    fn close(&self, mut schema: Value) -> Value {
        self.close_below(&mut schema);
        let Some(object) = schema.as_object_mut() else {
            return schema;
        };
        let has_fields = object.contains_key("properties");
        if has_fields {
            // Its alternatives describe the other fields of the same object.
            each_combined(object, &|part| self.open(part));
            object.insert("unevaluatedProperties".to_owned(), json!(false));
        } else {
            each_combined(object, &|part| self.close(part));
        }
        schema
    }

    /// A schema of some fields of an object: in place of a reference what it refers to, and the values of its fields closed.
    fn open(&self, schema: Value) -> Value {
        let name = schema["$ref"].as_str();
        let name = name.and_then(|reference| reference.strip_prefix("#/$defs/"));
        let definition = name.and_then(|name| self.definitions.get(name));
        let mut schema = definition.cloned().unwrap_or(schema);
        self.close_below(&mut schema);
        if let Some(object) = schema.as_object_mut() {
            each_combined(object, &|part| self.open(part));
        }
        schema
    }

    /// Closes what describes values inside of the value.
    fn close_below(&self, schema: &mut Value) {
        for (keyword, value) in schema.as_object_mut().into_iter().flatten() {
            match keyword.as_str() {
                "properties" => {
                    let fields = value.as_object_mut().into_iter().flatten();
                    fields.for_each(|(_, field)| *field = self.close(field.take()));
                }
                "items" | "additionalProperties" => *value = self.close(value.take()),
                "prefixItems" => {
                    let items = value.as_array_mut().into_iter().flatten();
                    items.for_each(|item| *item = self.close(item.take()));
                }
                _ => {}
            }
        }
    }
}

fn each_combined(object: &mut Map<String, Value>, change: &dyn Fn(Value) -> Value) {
    for keyword in COMBINERS {
        let parts = object.get_mut(keyword).and_then(Value::as_array_mut);
        let parts = parts.into_iter().flatten();
        parts.for_each(|part| *part = change(part.take()));
    }
}

#[cfg(test)]
mod tests;
