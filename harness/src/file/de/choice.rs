//! Which variant of an enum is written.

use serde::de::value::MapDeserializer;
use serde::de::{DeserializeSeed, EnumAccess, IntoDeserializer, VariantAccess, Visitor};
use toml::de::DeValue;

use super::key::{Key, unknown_key};
use super::schema::{REST, TEXT};
use super::wrong::Wrong;
use super::{Fault, Node, Read, schema};
use crate::text::{did_you_mean, nearest};

/// The variant that is written.
pub(super) struct Choice<'de> {
    node: Node<'de>,
    /// The enum.
    name: &'static str,
    tag: &'static str,
    written: Written<'de>,
}

/// How a variant is written.
enum Written<'de> {
    /// As its name.
    Word,
    /// As a string that is its value.
    Text,
    /// As a table that is its value.
    Whole,
    /// As a table with its name for a key.
    Table(Vec<(Key<'de>, Node<'de>)>),
}

impl<'de> Choice<'de> {
    /// The variant of the enum `name` that `node` is.
    pub(super) fn of(
        node: &Node<'de>,
        name: &'static str,
        variants: &'static [&'static str],
        wanted: &str,
    ) -> Read<Self> {
        let variant = |word: &str| variants.iter().copied().find(|variant| *variant == word);
        let (tag, written) = match (node.value, node.entries()) {
            (DeValue::String(word), _) => match (variant(TEXT), variant(word)) {
                (Some(text), _) => (text, Written::Text),
                (None, Some(tag)) => (tag, Written::Word),
                (None, None) => return Err(unknown_word(node, name, word)),
            },
            (_, Some(entries)) => {
                let tags: Vec<_> = entries
                    .iter()
                    .filter_map(|(key, _)| {
                        variant(key.text).filter(|tag| ![TEXT, REST].contains(tag))
                    })
                    .collect();
                let tags = without_fields(name, tags);
                match tags.as_slice() {
                    [tag] => (*tag, Written::Table(entries)),
                    tags => match variant(REST).filter(|_| tags.is_empty()) {
                        Some(rest) => (rest, Written::Whole),
                        None => return Err(not_one(node, name, tags, &entries, wanted)),
                    },
                }
            }
            _ => return Err(node.must_be(&node.name(), wanted)),
        };
        Ok(Self {
            node: node.clone(),
            name,
            tag,
            written,
        })
    }

    /// A word where the variant has a value.
    fn no_value(&self) -> Wrong {
        let (name, tag) = (self.node.name(), self.tag);
        let fault = self.node.fault(format!("{name}: \"{tag}\" needs a value"));
        Wrong::At(fault.help(format!("write {{ {tag} = ... }}")))
    }

    /// The first key that does not belong to the variant is a fault.
    fn refuse_strays(&self, entries: &[(Key<'de>, Node<'de>)], own: &[&str]) -> Result<(), Wrong> {
        let stray = entries
            .iter()
            .map(|(key, _)| key)
            .find(|key| !own.contains(&key.text));
        let Some(key) = stray else {
            return Ok(());
        };
        let tables = schema::tables(self.name);
        let known = all_keys(&tables);
        Err(Wrong::At(if known.contains(&key.text) {
            goes_with(key, &tables, &format!(", not with `{}`", self.tag))
        } else {
            unknown_key(key, &self.node.name(), &known)
        }))
    }
}

/// The variants that are named, without those whose names are keys of another one: in `{ len = ..., header = 4 }`, `header`
/// is a key of `len`.
fn without_fields<'a>(name: &str, tags: Vec<&'a str>) -> Vec<&'a str> {
    if tags.len() < 2 {
        return tags;
    }
    let tables = schema::tables(name);
    let owns = |owner: &str, key: &str| {
        let owner = tables.iter().find(|table| table.tag == owner);
        owner.is_some_and(|owner| owner.tag != key && owner.keys.iter().any(|known| known == key))
    };
    let is_field = |tag: &str| tags.iter().any(|owner| owns(owner, tag));
    tags.iter().copied().filter(|tag| !is_field(tag)).collect()
}

/// The fault of a key that belongs to another variant.
fn goes_with(key: &Key<'_>, tables: &[schema::Table], not: &str) -> Fault {
    let has = |table: &&schema::Table| table.keys.iter().any(|known| known == key.text);
    let tag = tables.iter().find(has).map_or("", |table| &table.tag);
    key.fault(format!("`{}` goes with `{tag}`{not}", key.text))
}

fn all_keys(tables: &[schema::Table]) -> Vec<&str> {
    let keys = tables.iter().flat_map(|table| &table.keys);
    keys.map(String::as_str).collect()
}

fn unknown_word(node: &Node<'_>, name: &str, word: &str) -> Fault {
    let words = schema::words(name);
    let known = words.iter().map(String::as_str);
    let help = match nearest(word, known.clone()) {
        Some(near) => Some(format!("did you mean `{near}`?")),
        None => did_you_mean(word, known)
            .map(|all| format!("{all}; no other is supported yet{}", or_table(name))),
    };
    let message = format!("unknown {}: \"{}\"", node.name(), word.escape_debug());
    node.fault(message).maybe_help(help)
}

/// The variants that are tables, for somebody who looks among the words.
fn or_table(name: &str) -> String {
    let tables = schema::tables(name);
    let written = tables
        .iter()
        .map(|table| format!("`{{ {} = ... }}`", table.tag));
    let written: Vec<String> = written.collect();
    if written.is_empty() {
        String::new()
    } else {
        format!("; or write {}", written.join(", "))
    }
}

/// A table with no key that is a variant, or with several.
fn not_one(
    node: &Node<'_>,
    name: &str,
    tags: &[&str],
    entries: &[(Key<'_>, Node<'_>)],
    wanted: &str,
) -> Fault {
    let tables = schema::tables(name);
    if tables.is_empty() {
        return node.must_be(&node.name(), wanted);
    }
    let known = all_keys(&tables);
    let unknown = entries.iter().find(|(key, _)| !known.contains(&key.text));
    let message = match (tags, unknown) {
        ([], Some((key, _))) => return unknown_key(key, &node.name(), &known),
        ([], None) => match entries.first() {
            Some((key, _)) => return goes_with(key, &tables, ""),
            None => format!("{} is an empty table", node.name()),
        },
        (tags, _) => format!("{} says it twice: {}", node.name(), quoted(tags, " and ")),
    };
    let kinds: Vec<&str> = tables.iter().map(|table| table.tag.as_str()).collect();
    node.fault(message)
        .help(format!("exactly one of {}", quoted(&kinds, ", ")))
}

fn quoted(words: &[&str], between: &str) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    quoted.join(between)
}

impl<'de> EnumAccess<'de> for Choice<'de> {
    type Error = Wrong;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Wrong> {
        let variant = seed.deserialize(self.tag.into_deserializer())?;
        Ok((variant, self))
    }
}

impl<'de> VariantAccess<'de> for Choice<'de> {
    type Error = Wrong;

    fn unit_variant(self) -> Result<(), Wrong> {
        let (key, tag) = (self.node.key(), self.tag);
        match &self.written {
            Written::Word => Ok(()),
            _ => {
                let fault = self.node.fault(format!("`{tag}` has no value"));
                Err(Wrong::At(fault.help(format!("write {key} = \"{tag}\""))))
            }
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Wrong> {
        match &self.written {
            Written::Word => Err(self.no_value()),
            Written::Text | Written::Whole => seed.deserialize(self.node),
            Written::Table(entries) => {
                self.refuse_strays(entries, &[self.tag])?;
                let value = entries.iter().find(|(key, _)| key.text == self.tag);
                match value {
                    Some((_, value)) => seed.deserialize(value.clone()),
                    None => Err(Wrong::Missing(self.tag)),
                }
            }
        }
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        let Written::Table(entries) = &self.written else {
            return Err(self.no_value());
        };
        self.refuse_strays(entries, fields)?;
        visitor
            .visit_map(MapDeserializer::new(entries.iter().cloned()))
            .map_err(|wrong| match wrong {
                Wrong::Missing(key) => {
                    let fault = self.node.fault(format!("`{}` goes with `{key}`", self.tag));
                    Wrong::At(fault.maybe_help(schema::about(self.name, key)))
                }
                wrong => wrong,
            })
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, Wrong> {
        Err(self.no_value())
    }
}
