//! Reading reports strictly: whatever a server sent, they must be what they claim to be.

use quick_xml::events::Event;
use serde_json::Value;

use super::Bench;

/// An element of a JUnit file.
#[derive(Debug, Clone)]
pub struct Element {
    pub name: String,
    pub attributes: Vec<(String, String)>,
    /// Names of the elements that it is in.
    pub path: Vec<String>,
}

impl Element {
    pub fn get(&self, name: &str) -> Option<&str> {
        let mut all = self.attributes.iter();
        all.find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}

impl Bench {
    /// The JSON report of that name. Every control character in it is escaped.
    pub fn json(&self, name: &str) -> Value {
        parse_json(&self.read(name))
    }

    /// The elements of the JUnit report of that name.
    pub fn junit(&self, name: &str) -> Vec<Element> {
        let text = self.read(name);
        assert_no_controls(&text);
        elements(&text)
    }

    /// The Markdown report of that name.
    pub fn markdown(&self, name: &str) -> String {
        let text = self.read(name);
        assert_no_controls(&text);
        text
    }
}

pub fn parse_json(text: &str) -> Value {
    assert_no_controls(text);
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// No terminal can be moved, no reader deceived: no control characters but the line feed, and no
/// characters that change the direction of what follows.
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

/// Parses the whole document: every element is one of JUnit's, and every entity is known.
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
                panic!("not of a report: {text}")
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
        "<{name}> is no element of JUnit"
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
