//! Parses reports strictly: they must be well-formed whatever a server has sent.

use quick_xml::events::Event;
use serde_json::Value;

use super::{Bench, schema};

/// An element of a JUnit file.
#[derive(Debug, Clone)]
pub struct Element {
    pub name: String,
    pub attributes: Vec<(String, String)>,
    /// Names of the elements around it, outermost first.
    pub path: Vec<String>,
}

impl Element {
    pub fn get(&self, name: &str) -> Option<&str> {
        let mut all = self.attributes.iter();
        all.find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}

/// The kind of each change in the comparison of two servers or of two runs, and what has changed.
pub fn changes(comparison: &Value) -> Vec<(&str, &str)> {
    let changes = comparison["changes"].as_array().unwrap().iter();
    changes
        .map(|change| {
            (
                change["kind"].as_str().unwrap(),
                change["what"].as_str().unwrap(),
            )
        })
        .collect()
}

impl Bench {
    /// Reads a JSON report and asserts that it contains no raw control characters, and nothing that its schema does not describe.
    pub fn json(&self, name: &str) -> Value {
        parse_json(&self.read(name))
    }

    /// Reads the elements of a JUnit report.
    pub fn junit(&self, name: &str) -> Vec<Element> {
        let text = self.read(name);
        assert_no_controls(&text);
        elements(&text)
    }

    /// Reads a Markdown report.
    pub fn markdown(&self, name: &str) -> String {
        let text = self.read(name);
        assert_no_controls(&text);
        text
    }
}

pub fn parse_json(text: &str) -> Value {
    assert_no_controls(text);
    let value: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    if value["schema"] == "tcprove/1" {
        let wrong = schema::wrong(&value);
        assert!(wrong.is_none(), "not as the schema says: {wrong:?}\n{text}");
    }
    value
}

/// Asserts that a text contains no control characters except line feeds, and no characters that change the text
/// direction.
pub fn assert_no_controls(text: &str) {
    let harmful = |char: &char| {
        (char.is_control() && *char != '\n')
            || ('\u{202a}'..='\u{202e}').contains(char)
            || ('\u{2066}'..='\u{2069}').contains(char)
    };
    if let Some(at) = text.find(|char| harmful(&char)) {
        let around: String = text[..at]
            .chars()
            .rev()
            .take(60)
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
            .collect();
        panic!("{:?} after {around:?}", text[at..].chars().next());
    }
}

const JUNIT: [&str; 8] = [
    "testsuites",
    "testsuite",
    "testcase",
    "failure",
    "error",
    "skipped",
    "properties",
    "property",
];

/// Parses a whole document. Panics if it contains elements that JUnit does not define or unknown entities.
fn elements(text: &str) -> Vec<Element> {
    let mut reader = quick_xml::Reader::from_str(text);
    reader.config_mut().check_end_names = true;
    let (mut path, mut all) = (Vec::<String>::new(), Vec::new());
    loop {
        match reader
            .read_event()
            .unwrap_or_else(|error| panic!("{error}: {text}"))
        {
            Event::Eof => break,
            Event::Start(start) => {
                let element = element(&start, &path);
                path.push(element.name.clone());
                all.push(element);
            }
            Event::Empty(start) => all.push(element(&start, &path)),
            Event::End(_) => drop(path.pop()),
            Event::Comment(_) | Event::PI(_) | Event::DocType(_) => {
                panic!("unexpected in a report: {text}")
            }
            Event::Decl(_) | Event::Text(_) | Event::CData(_) | Event::GeneralRef(_) => {}
        }
    }
    assert!(path.is_empty(), "unclosed {path:?}");
    all
}

fn element(start: &quick_xml::events::BytesStart<'_>, path: &[String]) -> Element {
    let name = String::from_utf8(start.name().as_ref().to_vec()).unwrap();
    assert!(
        JUNIT.contains(&name.as_str()),
        "<{name}> is not a JUnit element"
    );
    let attributes = start.attributes().map(|attribute| {
        let attribute = attribute.unwrap();
        let key = String::from_utf8(attribute.key.as_ref().to_vec()).unwrap();
        let raw = std::str::from_utf8(&attribute.value).unwrap();
        let value = quick_xml::escape::unescape(raw).unwrap().into_owned();
        assert_no_controls(&value);
        (key, value)
    });
    Element {
        name,
        attributes: attributes.collect(),
        path: path.to_vec(),
    }
}
