//! All keys of the file as a page for readers, from its JSON Schema: what editors complete and what the page says is the same.

use std::collections::VecDeque;
use std::fmt::Write as _;

use serde_json::Value;

use super::schema::schema;

const HEAD: &str = "# All keys of the file\n\n\
                    What `tcprove.toml` may contain. `tcprove generate reference` prints this page.\n";

/// The reference page in Markdown: a heading for each table of the file and for each kind of value, keys in the order of the
/// file.
pub(crate) fn reference() -> String {
    let schema = schema();
    let mut page = Page {
        schema: &schema,
        text: HEAD.to_owned(),
        described: Vec::new(),
        due: VecDeque::new(),
    };
    for (name, table) in entries(&schema, "properties") {
        page.top(name, table);
    }
    while let Some(name) = page.due.pop_front() {
        page.kind(&name);
    }
    page.text
}

fn entries<'a>(schema: &'a Value, key: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    schema
        .get(key)
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
}

fn listed<'a>(schema: &'a Value, key: &str) -> &'a [Value] {
    let list = schema.get(key).and_then(Value::as_array);
    list.map_or(&[], Vec::as_slice)
}

fn text<'a>(schema: &'a Value, key: &str) -> Option<&'a str> {
    schema.get(key).and_then(Value::as_str)
}

/// The name that a reader knows a definition by: `FrameValue` is a frame.
fn kind(definition: &str) -> String {
    let stem = definition
        .strip_suffix("Value")
        .or_else(|| definition.strip_suffix("Table"));
    stem.unwrap_or(definition).to_lowercase()
}

struct Page<'a> {
    schema: &'a Value,
    text: String,
    /// Definitions that have a heading, or will have one.
    described: Vec<String>,
    due: VecDeque<String>,
}

impl<'a> Page<'a> {
    /// A table of the file.
    fn top(&mut self, name: &str, table: &'a Value) {
        let item = table.get("items");
        let is_list = item.is_some();
        let mut inner = item.unwrap_or(table);
        if let Some(definition) = definition_of(inner) {
            self.described.push(definition.to_owned());
            inner = self.definition(definition);
        }
        let heading = if is_list {
            format!("[[{name}]]")
        } else {
            format!("[{name}]")
        };
        self.heading(&heading, text(inner, "description"));
        self.keys(inner);
    }

    /// A kind of value.
    fn kind(&mut self, name: &str) {
        let definition = self.definition(name);
        self.heading(&kind(name), text(definition, "description"));
        match definition.get("properties") {
            Some(_) => self.keys(definition),
            None => self.choices(definition),
        }
    }

    fn heading(&mut self, heading: &str, about: Option<&str>) {
        let _ = write!(self.text, "\n## {heading}\n\n");
        if let Some(about) = about {
            let _ = write!(self.text, "{about}\n\n");
        }
    }

    fn keys(&mut self, table: &Value) {
        self.text.push_str("| key | value | |\n|---|---|---|\n");
        for (key, value) in entries(table, "properties") {
            let needed = listed(table, "required").iter().any(|name| name == key);
            let about = text(value, "description").unwrap_or_default();
            let about = if needed {
                format!("Required. {about}")
            } else {
                about.to_owned()
            };
            let shown = self.value(value);
            let _ = writeln!(
                self.text,
                "| `{key}` | {} | {} |",
                cell(&shown),
                cell(about.trim())
            );
        }
    }

    fn choices(&mut self, definition: &Value) {
        self.text.push_str("| value | |\n|---|---|\n");
        let all = ["oneOf", "anyOf"]
            .map(|key| listed(definition, key))
            .concat();
        let all = if all.is_empty() {
            vec![definition.clone()]
        } else {
            all
        };
        for choice in all {
            let about = text(&choice, "description").unwrap_or_default();
            let keyed: Vec<String> = entries(&choice, "properties")
                .filter_map(|(key, value)| {
                    Some(format!("`{key}`: {}", text(value, "description")?))
                })
                .collect();
            let about = [about.to_owned()].into_iter().chain(keyed);
            let about: Vec<String> = about.filter(|part| !part.is_empty()).collect();
            let shown = self.value(&choice);
            let _ = writeln!(
                self.text,
                "| {} | {} |",
                cell(&shown),
                cell(&about.join(" "))
            );
        }
    }

    /// What a value looks like in the file.
    fn value(&mut self, schema: &Value) -> String {
        if let Some(definition) = definition_of(schema) {
            return self.link(definition);
        }
        let words = listed(schema, "enum").iter().chain(schema.get("const"));
        let words: Vec<String> = words.map(|word| format!("`{word}`")).collect();
        if !words.is_empty() {
            return words.join(", ");
        }
        for key in ["oneOf", "anyOf"] {
            let choices = listed(schema, key);
            if !choices.is_empty() {
                let choices: Vec<String> = choices.iter().map(|one| self.value(one)).collect();
                return choices.join(" or ");
            }
        }
        match schema.get("type") {
            Some(Value::Array(types)) => {
                let types: Vec<&str> = types.iter().filter_map(Value::as_str).map(word).collect();
                types.join(" or ")
            }
            Some(Value::String(name)) => match (name.as_str(), schema.get("items")) {
                ("array", Some(items)) => format!("list of {}", self.value(items)),
                ("object", _) => self.table(schema),
                (name, _) => word(name).to_owned(),
            },
            _ => "any value".to_owned(),
        }
    }

    /// A table that is written in place.
    fn table(&mut self, schema: &Value) -> String {
        let keys: Vec<String> = entries(schema, "properties")
            .map(|(key, value)| format!("{key} = {}", self.value(value)))
            .collect();
        match schema.get("additionalProperties") {
            Some(value) if keys.is_empty() => format!("table: a name, and {}", self.value(value)),
            _ => format!("{{ {} }}", keys.join(", ")),
        }
    }

    /// A link to the heading of a definition, which is described once.
    fn link(&mut self, definition: &str) -> String {
        if !self.described.iter().any(|known| known == definition) {
            self.described.push(definition.to_owned());
            self.due.push_back(definition.to_owned());
        }
        let kind = kind(definition);
        format!("[{kind}](#{kind})")
    }

    fn definition(&self, name: &str) -> &'a Value {
        &self.schema["$defs"][name]
    }
}

/// The name of the definition that a schema refers to.
fn definition_of(schema: &Value) -> Option<&str> {
    text(schema, "$ref")?.strip_prefix("#/$defs/")
}

/// A type of JSON Schema in words.
fn word(name: &str) -> &str {
    match name {
        "string" => "text",
        "integer" => "whole number",
        "boolean" => "`true` or `false`",
        other => other,
    }
}

/// Text in a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_of_the_file_is_on_the_page() {
        let (page, schema) = (reference(), schema());
        let mut all = vec![&schema];
        let mut keys = 0;
        while let Some(schema) = all.pop() {
            for (key, value) in entries(schema, "properties") {
                let is_there = [format!("`{key}`"), format!("[{key}]"), format!("{key} = ")];
                assert!(is_there.iter().any(|form| page.contains(form)), "{key}");
                keys += 1;
                all.push(value);
            }
            all.extend(entries(schema, "$defs").map(|(_, definition)| definition));
            all.extend(
                ["oneOf", "anyOf"]
                    .iter()
                    .flat_map(|key| listed(schema, key)),
            );
        }
        assert!(keys > 60, "{keys}");
    }

    #[test]
    fn links_lead_to_headings() {
        let page = reference();
        for link in page.split("](#").skip(1) {
            let (kind, _) = link.split_once(')').expect("an end of the link");
            assert!(page.contains(&format!("\n## {kind}\n")), "{kind}");
        }
    }
}
