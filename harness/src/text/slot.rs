//! Placeholders: which value they name, and in which form it is written.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use super::uint::Uint;
use super::varint::{put_ber, put_varint};

/// The values of the placeholders of one request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bindings {
    /// `{tok}`: unique per request.
    pub tok: String,
    /// `{payload}`.
    pub payload: Vec<u8>,
    /// `{seq}`: number of the request on its connection, from 1.
    pub seq: u64,
    /// `{n}`: number of the connection, from 1.
    pub n: u64,
    /// `{port}`, `{tmp}`, parameters, and the named groups of earlier expectations.
    pub values: BTreeMap<String, Vec<u8>>,
    /// The key with which a client masks its WebSocket frames.
    pub mask: [u8; 4],
}

impl Bindings {
    /// The value of `name`.
    ///
    /// # Errors
    /// The name has no value.
    pub fn get(&self, name: &Name) -> Result<Cow<'_, [u8]>, RenderError> {
        match (name, self.number(name)) {
            (_, Some(number)) => Ok(number.to_string().into_bytes().into()),
            (Name::Tok, _) => Ok(self.tok.as_bytes().into()),
            (Name::Other(name), _) => match self.values.get(name) {
                Some(value) => Ok(value.as_slice().into()),
                None => Err(RenderError::Unbound(name.clone())),
            },
            _ => Ok(self.payload.as_slice().into()),
        }
    }

    /// The value of `name` if it is a number.
    fn number(&self, name: &Name) -> Option<u64> {
        match name {
            Name::Seq => Some(self.seq),
            Name::N => Some(self.n),
            Name::Tok | Name::Payload | Name::Other(_) => None,
        }
    }
}

/// Why a template could not be filled in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// The name has no value: the earlier expectation that captures it has not matched yet.
    #[error("{{{0}}} has no value")]
    Unbound(String),
    /// A length does not fit into its field.
    #[error("a length of type {field} cannot hold {len} bytes")]
    TooLong {
        /// The length to write.
        len: usize,
        /// The field's type, such as `u8`.
        field: String,
    },
    /// Bytes that are not UTF-8 cannot be part of JSON.
    #[error("{{json:{0}}} is not UTF-8")]
    NotText(String),
    /// The bytes before the length have the wrong number.
    #[error("`head` has {got} bytes, but the frame has {expected} before its length")]
    Head {
        /// Number of bytes before the length.
        expected: usize,
        /// Number of bytes of the head.
        got: usize,
    },
    /// A message is shorter than the frame's trailer, which is part of it.
    #[error("a message of {len} bytes has no room for the frame's trailer of {trailer}")]
    Trailer {
        /// Length of the message.
        len: usize,
        /// Length of the trailer.
        trailer: usize,
    },
    /// The expected value is not JSON once its placeholders are filled in.
    #[error("the expected value is not JSON: {0}")]
    Json(String),
}

/// An error in a template: a message, the text to point at, and optionally a help.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateError {
    pub(crate) message: String,
    pub(crate) fragment: String,
    pub(crate) help: Option<String>,
}

/// An identifier in braces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Name {
    /// `{tok}`
    Tok,
    /// `{payload}`
    Payload,
    /// `{seq}`
    Seq,
    /// `{n}`
    N,
    /// Any other.
    Other(String),
}

impl Name {
    /// The names with a meaning of their own.
    pub(crate) const KNOWN: [&str; 4] = ["tok", "payload", "seq", "n"];

    pub(crate) fn new(name: &str) -> Self {
        match name {
            "tok" => Self::Tok,
            "payload" => Self::Payload,
            "seq" => Self::Seq,
            "n" => Self::N,
            other => Self::Other(other.to_owned()),
        }
    }

    pub fn as_str(&self) -> &str {
        match self {
            Self::Tok => "tok",
            Self::Payload => "payload",
            Self::Seq => "seq",
            Self::N => "n",
            Self::Other(name) => name,
        }
    }

    fn is_number(&self) -> bool {
        matches!(self, Self::Seq | Self::N)
    }
}

/// The slot of `{port:NAME}`, a further port of the server.
fn further_port_slot(inside: &str, forms: &[&str], name: &str) -> Result<Slot, TemplateError> {
    let forms: String = forms.iter().map(|form| format!("{form}:")).collect();
    let slot = Slot::parse(&format!("{forms}{name}")).map_err(|_| unknown("port", inside))?;
    match slot.name {
        Name::Other(name) if slot.plus == 0 => Ok(Slot {
            name: Name::Other(format!("port:{name}")),
            ..slot
        }),
        _ => Err(no_placeholder(inside)),
    }
}

/// The NAME of `port:NAME`, which stands for a further port of the server.
pub(crate) fn further_port(name: &str) -> Option<&str> {
    name.strip_prefix("port:")
}

/// How the value is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// `{name}`: as it is.
    Plain,
    /// `{json:name}`: a JSON string.
    Json {
        /// Whether its quotes are written too: not if the template has them around the placeholder.
        quoted: bool,
    },
    /// `{hex:name}`: two lower-case digits for each byte.
    Hex,
    /// `{base64:name}`: the standard alphabet, padded (RFC 4648 section 4).
    Base64,
    /// `{url:name}`: percent-encoded, except for letters, digits and `-._~` (RFC 3986 2.3).
    Url,
}

/// In which form a length is written instead of the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// `{len:name}`: decimal.
    Decimal,
    /// `{u32be:name}`: binary.
    Binary(Uint),
    /// `{varint:name}`: base 128.
    Varint,
    /// `{ber:name}`: a BER length.
    Ber,
}

/// A placeholder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    pub name: Name,
    pub encoding: Encoding,
    /// The length of the encoded value is written instead of the value. Of a number, which needs no length, the
    /// binary forms write the number itself.
    pub measure: Option<Measure>,
    /// What is added to the length or the number: `{len:payload+4}`.
    pub plus: u64,
}

/// The encodings, by name.
const ENCODINGS: [&str; 4] = ["json", "hex", "base64", "url"];
/// The lengths, by name, beside those of [`Uint::NAMES`].
const MEASURES: [&str; 3] = ["len", "varint", "ber"];
/// What is percent-encoded.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        match self.measure {
            None => {}
            Some(Measure::Decimal) => f.write_str("len:")?,
            Some(Measure::Binary(field)) => write!(f, "{field}:")?,
            Some(Measure::Varint) => f.write_str("varint:")?,
            Some(Measure::Ber) => f.write_str("ber:")?,
        }
        match self.encoding {
            Encoding::Plain => {}
            Encoding::Json { .. } => f.write_str("json:")?,
            Encoding::Hex => f.write_str("hex:")?,
            Encoding::Base64 => f.write_str("base64:")?,
            Encoding::Url => f.write_str("url:")?,
        }
        f.write_str(self.name.as_str())?;
        if self.plus > 0 {
            write!(f, "+{}", self.plus)?;
        }
        f.write_str("}")
    }
}

impl Slot {
    /// Parses what is between the braces: `[length:][encoding:]name[+number]`.
    pub(crate) fn parse(inside: &str) -> Result<Self, TemplateError> {
        let (forms, last): (Vec<&str>, &str) = match inside.rsplit_once(':') {
            Some((forms, last)) => (forms.split(':').collect(), last),
            None => (Vec::new(), inside),
        };
        // `{port:admin}` is a value like `{port}`: the form belongs to the name.
        if let Some((&"port", forms)) = forms.split_last() {
            return further_port_slot(inside, forms, last);
        }
        let (name, plus) = match last.split_once('+') {
            Some((name, digits)) => (name, Some(digits)),
            None => (last, None),
        };
        let begins_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        let (measure, encoding) = match forms.as_slice() {
            [] => (None, Encoding::Plain),
            [form] => match measure(form) {
                Some(measure) => (Some(measure), Encoding::Plain),
                None => (None, encoding(form).ok_or_else(|| unknown(form, inside))?),
            },
            [first, second] => match (measure(first), encoding(second)) {
                (Some(measure), Some(encoding)) => (Some(measure), encoding),
                _ => return Err(no_placeholder(inside)),
            },
            _ => return Err(no_placeholder(inside)),
        };
        if !begins_well {
            return Err(no_placeholder(inside));
        }
        let name = Name::new(name);
        let plus = match plus.map(str::parse) {
            None => 0,
            Some(Ok(plus)) if measure.is_some() || name.is_number() => plus,
            Some(_) => return Err(no_sum(inside, name.as_str())),
        };
        Ok(Self {
            name,
            encoding,
            measure,
            plus,
        })
    }

    /// Whether the value stays text when it is written: a binary length does not.
    pub fn is_text(&self) -> bool {
        matches!(self.measure, None | Some(Measure::Decimal))
    }

    /// Whether the value itself is written, in whatever encoding, and not its length.
    pub fn is_value(&self) -> bool {
        self.measure.is_none()
    }

    /// Whether the value is written as it is.
    pub fn is_plain(&self) -> bool {
        self.is_value() && self.encoding == Encoding::Plain && self.plus == 0
    }

    /// Whether what is written differs for each request or connection, and is not a token as it is.
    pub fn is_personal(&self) -> bool {
        match self.name {
            Name::Seq | Name::N => true,
            // Letters and digits stay as they are in JSON and in URLs.
            Name::Tok => {
                matches!(self.encoding, Encoding::Hex | Encoding::Base64) && self.is_value()
            }
            Name::Payload | Name::Other(_) => false,
        }
    }

    /// Appends the value to `out`.
    ///
    /// # Errors
    /// The name has no value, or the value does not fit.
    pub fn render(&self, bindings: &Bindings, out: &mut Vec<u8>) -> Result<(), RenderError> {
        match bindings.number(&self.name) {
            Some(number) => self.write_number(number, out),
            None => self.write(&bindings.get(&self.name)?, out),
        }
    }

    /// Appends a number. A field of fixed width holds 1 to its maximum, and then begins again: many protocols give
    /// zero a meaning of its own.
    fn write_number(&self, number: u64, out: &mut Vec<u8>) -> Result<(), RenderError> {
        let sum = number.saturating_add(self.plus);
        match self.measure {
            Some(Measure::Binary(field)) => {
                out.extend(field.bytes(sum.saturating_sub(1) % field.max() + 1));
            }
            Some(Measure::Varint) => put_varint(sum, out),
            Some(Measure::Ber) => put_ber(sum, out),
            Some(Measure::Decimal) => return self.write(number.to_string().as_bytes(), out),
            None => return self.encode(sum.to_string().as_bytes(), out),
        }
        Ok(())
    }

    /// Appends `value` in the form that is asked for.
    pub(crate) fn write(&self, value: &[u8], out: &mut Vec<u8>) -> Result<(), RenderError> {
        let Some(measure) = self.measure else {
            return self.encode(value, out);
        };
        let mut encoded = Vec::new();
        self.encode(value, &mut encoded)?;
        let len = (encoded.len() as u64).saturating_add(self.plus);
        match measure {
            Measure::Decimal => out.extend_from_slice(len.to_string().as_bytes()),
            Measure::Varint => put_varint(len, out),
            Measure::Ber => put_ber(len, out),
            Measure::Binary(field) if len <= field.max() => out.extend(field.bytes(len)),
            Measure::Binary(field) => {
                return Err(RenderError::TooLong {
                    len: usize::try_from(len).unwrap_or(usize::MAX),
                    field: field.to_string(),
                });
            }
        }
        Ok(())
    }

    /// Appends the encoded value.
    pub(crate) fn encode(&self, value: &[u8], out: &mut Vec<u8>) -> Result<(), RenderError> {
        match self.encoding {
            Encoding::Plain => out.extend_from_slice(value),
            Encoding::Hex => {
                for byte in value {
                    out.extend_from_slice(format!("{byte:02x}").as_bytes());
                }
            }
            Encoding::Base64 => out.extend_from_slice(STANDARD.encode(value).as_bytes()),
            Encoding::Url => {
                let pieces = percent_encode(value, ESCAPED);
                pieces.for_each(|piece| out.extend_from_slice(piece.as_bytes()));
            }
            Encoding::Json { quoted } => {
                let not_text = || RenderError::NotText(self.name.as_str().to_owned());
                let text = std::str::from_utf8(value).map_err(|_| not_text())?;
                let literal = serde_json::Value::from(text).to_string();
                let quotes = usize::from(!quoted);
                out.extend_from_slice(&literal.as_bytes()[quotes..literal.len() - quotes]);
            }
        }
        Ok(())
    }
}

fn measure(name: &str) -> Option<Measure> {
    match name {
        "len" => Some(Measure::Decimal),
        "varint" => Some(Measure::Varint),
        "ber" => Some(Measure::Ber),
        field => Uint::from_name(field).map(Measure::Binary),
    }
}

fn encoding(name: &str) -> Option<Encoding> {
    match name {
        "json" => Some(Encoding::Json { quoted: false }),
        "hex" => Some(Encoding::Hex),
        "base64" => Some(Encoding::Base64),
        "url" => Some(Encoding::Url),
        _ => None,
    }
}

fn unknown(form: &str, inside: &str) -> TemplateError {
    let (lengths, values) = (MEASURES.join(", "), ENCODINGS.join(", "));
    let fields = Uint::NAMES.join(", ");
    TemplateError {
        message: format!("unknown form `{form}:` in `{{{inside}}}`"),
        fragment: format!("{{{inside}}}"),
        help: Some(format!(
            "the forms of a value are {values}; those of its length {lengths}, {fields}"
        )),
    }
}

fn no_placeholder(inside: &str) -> TemplateError {
    TemplateError {
        message: format!("`{{{inside}}}` is not a placeholder"),
        fragment: format!("{{{inside}}}"),
        help: Some(
            "a placeholder is `{name}`, `{json:name}`, `{len:name}` or `{len:json:name+4}`"
                .to_owned(),
        ),
    }
}

fn no_sum(inside: &str, name: &str) -> TemplateError {
    TemplateError {
        message: format!("`{{{inside}}}` adds a number to what is not one"),
        fragment: format!("{{{inside}}}"),
        help: Some(format!(
            "a sum is `{{len:{name}+4}}`, with any form of a length, or `{{seq+4}}`"
        )),
    }
}
