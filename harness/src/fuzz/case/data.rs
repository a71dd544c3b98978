//! The bytes of a case. Long repetitions are stored as such, so that a megabyte of one letter is one short line.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A sequence of bytes in parts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, JsonSchema)]
#[schemars(with = "Vec<Written>")]
pub struct Data {
    parts: Vec<DataPart>,
}

/// A part of some data; never empty.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum DataPart {
    /// Plain bytes.
    Bytes(Vec<u8>),
    /// Repeated bytes.
    Repeat {
        /// The repeated bytes.
        unit: Vec<u8>,
        /// The number of repetitions.
        count: u32,
    },
}

impl DataPart {
    /// The length in bytes.
    #[expect(clippy::len_without_is_empty, reason = "a part is never empty")]
    pub fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Repeat { unit, count } => unit.len().saturating_mul(*count as usize),
        }
    }

    /// Appends the bytes to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Bytes(bytes) => out.extend_from_slice(bytes),
            Self::Repeat { unit, count } if unit.len() == 1 => {
                out.resize(out.len() + *count as usize, unit[0]);
            }
            Self::Repeat { unit, count } => {
                out.reserve(self.len());
                (0..*count).for_each(|_| out.extend_from_slice(unit));
            }
        }
    }
}

impl Data {
    /// A single repetition.
    pub fn repeat(unit: impl Into<Vec<u8>>, count: u32) -> Self {
        let mut data = Self::default();
        data.push(DataPart::Repeat {
            unit: unit.into(),
            count,
        });
        data
    }

    /// The parts, in order.
    pub fn parts(&self) -> &[DataPart] {
        &self.parts
    }

    /// Appends a part. An empty part is dropped, and adjacent plain parts are merged.
    pub fn push(&mut self, part: DataPart) {
        match (self.parts.last_mut(), part) {
            (_, part) if part.len() == 0 => {}
            (Some(DataPart::Bytes(last)), DataPart::Bytes(more)) => last.extend_from_slice(&more),
            (_, part) => self.parts.push(part),
        }
    }

    /// The length in bytes.
    pub fn len(&self) -> usize {
        let lengths = self.parts.iter().map(DataPart::len);
        lengths.fold(0, usize::saturating_add)
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// All bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.len());
        self.write(&mut out);
        out
    }

    /// Appends all bytes to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        self.parts.iter().for_each(|part| part.write(out));
    }

    /// Keeps the first `len` bytes.
    pub fn truncate(&mut self, len: usize) {
        if self.len() <= len {
            return;
        }
        let mut room = len;
        let mut kept = Self::default();
        for part in std::mem::take(&mut self.parts) {
            if part.len() <= room {
                room -= part.len();
                kept.push(part);
                continue;
            }
            match part {
                DataPart::Bytes(mut bytes) => {
                    bytes.truncate(room);
                    kept.push(DataPart::Bytes(bytes));
                }
                DataPart::Repeat { unit, .. } => {
                    let count = u32::try_from(room / unit.len()).unwrap_or(u32::MAX);
                    let rest = unit[..room % unit.len()].to_vec();
                    kept.push(DataPart::Repeat { unit, count });
                    kept.push(DataPart::Bytes(rest));
                }
            }
            break;
        }
        *self = kept;
    }
}

impl From<Vec<u8>> for Data {
    fn from(bytes: Vec<u8>) -> Self {
        let mut data = Self::default();
        data.push(DataPart::Bytes(bytes));
        data
    }
}

impl From<&[u8]> for Data {
    fn from(bytes: &[u8]) -> Self {
        bytes.to_vec().into()
    }
}

impl FromIterator<DataPart> for Data {
    fn from_iter<T: IntoIterator<Item = DataPart>>(parts: T) -> Self {
        let mut data = Self::default();
        parts.into_iter().for_each(|part| data.push(part));
        data
    }
}

/// A part in JSON: a string if it is text, otherwise `{"hex": "ff fe"}`; repetitions as `{"repeat": "A", "n": 9}`.
#[derive(JsonSchema, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
#[schemars(rename = "Bytes")]
enum Written {
    Text(String),
    Hex {
        /// Bytes in hexadecimal digits, as in `ff fe`.
        hex: String,
    },
    Repeat {
        /// The text that is repeated.
        repeat: String,
        /// How often.
        n: u32,
    },
    RepeatHex {
        /// The bytes that are repeated, in hexadecimal digits.
        repeat_hex: String,
        /// How often.
        n: u32,
    },
}

impl Serialize for Data {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut written = Vec::new();
        self.parts
            .iter()
            .for_each(|part| write_down(part, &mut written));
        serializer.collect_seq(written)
    }
}

fn write_down(part: &DataPart, out: &mut Vec<Written>) {
    match part {
        DataPart::Repeat { unit, count } => out.push(match std::str::from_utf8(unit) {
            Ok(text) => Written::Repeat {
                repeat: text.to_owned(),
                n: *count,
            },
            Err(_) => Written::RepeatHex {
                repeat_hex: hex(unit),
                n: *count,
            },
        }),
        DataPart::Bytes(bytes) => {
            for chunk in bytes.utf8_chunks() {
                if !chunk.valid().is_empty() {
                    out.push(Written::Text(chunk.valid().to_owned()));
                }
                match (out.last_mut(), hex(chunk.invalid())) {
                    (_, bad) if bad.is_empty() => {}
                    (Some(Written::Hex { hex }), bad) => hex.extend([" ", &bad]),
                    (_, bad) => out.push(Written::Hex { hex: bad }),
                }
            }
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    digits.join(" ")
}

/// Decodes pairs of hexadecimal digits; whitespace is ignored.
pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<char> = text.chars().filter(|c| !c.is_whitespace()).collect();
    let byte = |pair: &[char]| match pair {
        [high, low] => Some(u8::try_from(high.to_digit(16)? * 16 + low.to_digit(16)?).unwrap_or(0)),
        _ => None,
    };
    digits.chunks(2).map(byte).collect()
}

impl<'de> Deserialize<'de> for Data {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bad =
            |text: &str| de::Error::custom(format!("`{text}` is not pairs of hexadecimal digits"));
        let mut data = Self::default();
        for written in Vec::<Written>::deserialize(deserializer)? {
            data.push(match written {
                Written::Text(text) => DataPart::Bytes(text.into_bytes()),
                Written::Hex { hex } => DataPart::Bytes(unhex(&hex).ok_or_else(|| bad(&hex))?),
                Written::Repeat { repeat, n } => DataPart::Repeat {
                    unit: repeat.into_bytes(),
                    count: n,
                },
                Written::RepeatHex { repeat_hex, n } => DataPart::Repeat {
                    unit: unhex(&repeat_hex).ok_or_else(|| bad(&repeat_hex))?,
                    count: n,
                },
            });
        }
        Ok(data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_round_trip() {
        let mut data = Data::from(&b"GET \xff\xfe\xc3\xa9\n"[..]);
        data.push(DataPart::Repeat {
            unit: b"A".to_vec(),
            count: 70_000,
        });
        data.push(DataPart::Repeat {
            unit: vec![0xc0],
            count: 2,
        });
        let text = serde_json::to_string(&data).unwrap();
        assert_eq!(
            text,
            r#"["GET ",{"hex":"ff fe"},"é\n",{"repeat":"A","n":70000},{"repeat_hex":"c0","n":2}]"#
        );
        assert_eq!(serde_json::from_str::<Data>(&text).unwrap(), data);
        assert!(serde_json::from_str::<Data>(r#"[{"hex":"f"}]"#).is_err());
        assert!(serde_json::from_str::<Data>(r#"[{"hax":"ff"}]"#).is_err());
    }

    #[test]
    fn truncated_inside_a_repetition() {
        let mut data = Data::repeat(b"abc", 5);
        data.push(DataPart::Bytes(b"xyz".to_vec()));
        let whole = data.to_bytes();
        for len in (0..=whole.len() + 1).rev() {
            data.truncate(len);
            assert_eq!(data.to_bytes(), whole[..len.min(whole.len())]);
        }
        assert!(data.is_empty());
    }
}
