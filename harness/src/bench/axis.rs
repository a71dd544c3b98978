//! What a sweep varies: `--sweep name=a,b,c`, parsed once into values that can be applied.

use std::collections::BTreeMap;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::knob::{AxisError, Knob, Value};
use super::result;
use crate::load::Workload;
use crate::text::size;

/// Maximum number of values per axis: more could not be measured well in a reasonable time.
const VALUES_MAX: usize = 64;

/// A knob and its values.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema)]
#[schemars(with = "result::SweepAxis")]
pub(crate) struct Dimension {
    /// The knob that is varied.
    pub knob: Knob,
    /// Its values in the given order.
    pub values: Vec<Value>,
    /// Whether the values are sizes in bytes.
    pub is_bytes: bool,
}

impl FromStr for Dimension {
    type Err = AxisError;

    fn from_str(text: &str) -> Result<Self, AxisError> {
        let Some((name, values)) = text.split_once('=') else {
            return Err(AxisError(format!(
                "`{text}` has no values: write name=a,b,c, as in payload=64,1KiB,16KiB"
            )));
        };
        Self::new(Knob::parse(name.trim())?, values.split(',').map(str::trim))
    }
}

impl Dimension {
    /// A knob with these values, as written on the command line.
    ///
    /// # Errors
    /// There is no value, or one is empty, a duplicate, or not accepted by the knob.
    pub(crate) fn new<'a>(
        knob: Knob,
        values: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, AxisError> {
        let mut taken: Vec<Value> = Vec::new();
        for text in values {
            if text.is_empty() {
                return Err(AxisError(format!(
                    "{knob} has an empty value: write {knob}=a,b,c"
                )));
            }
            let value = knob.value(text);
            let value = value.map_err(|why| AxisError(format!("{knob}: {why}")))?;
            if taken.contains(&value) {
                return Err(AxisError(format!("{knob} has the value {text} twice")));
            }
            taken.push(value);
        }
        if taken.is_empty() || taken.len() > VALUES_MAX {
            return Err(AxisError(format!(
                "{knob} has {} values: give 1 to {VALUES_MAX}",
                taken.len()
            )));
        }
        let numbers = taken.iter().all(|value| value.number.is_some());
        let is_bytes = match &knob {
            Knob::Connections | Knob::Pipeline => false,
            Knob::Server(param) => {
                let param = param.to_lowercase();
                numbers
                    && ["buf", "size", "bytes"]
                        .iter()
                        .any(|word| param.contains(word))
            }
            _ => true,
        };
        Ok(Self {
            knob,
            values: taken,
            is_bytes,
        })
    }

    /// The axis as it is reported.
    pub(crate) fn axis(&self) -> result::SweepAxis {
        result::SweepAxis {
            name: self.knob.to_string(),
            values: self.values.iter().map(|value| value.text.clone()).collect(),
            is_bytes: self.is_bytes,
        }
    }

    /// The value at this index in words: `payload 16 KiB`.
    pub(crate) fn label(&self, place: usize) -> String {
        let value = &self.values[place];
        let shown = match value.number {
            Some(bytes) if self.is_bytes && self.knob != Knob::ClientMss => size::show(bytes),
            _ => value.text.clone(),
        };
        format!("{} {shown}", self.knob.short())
    }

    /// Whether all values are numbers, so that they have a natural order.
    pub(crate) fn is_numeric(&self) -> bool {
        self.values.iter().all(|value| value.number.is_some())
    }

    /// Sets the value at this index in a workload or in the parameters of a server.
    pub(crate) fn apply(
        &self,
        place: usize,
        workload: &mut Workload,
        params: &mut BTreeMap<String, String>,
    ) {
        let value = &self.values[place];
        let number = value.number.and_then(|number| usize::try_from(number).ok());
        let bytes = number.unwrap_or(0);
        let chosen = number.filter(|bytes| *bytes > 0);
        match &self.knob {
            Knob::Payload => workload.payload_bytes = bytes,
            Knob::Connections => workload.connections = bytes,
            Knob::Pipeline => workload.pipeline = bytes,
            Knob::ClientRcvbuf => workload.socket.so_rcvbuf = chosen,
            Knob::ClientSndbuf => workload.socket.so_sndbuf = chosen,
            Knob::ClientMss => {
                workload.socket.mss = chosen.and_then(|mss| u32::try_from(mss).ok());
            }
            Knob::Server(param) => {
                params.insert(param.clone(), value.text.clone());
            }
        }
    }
}

/// As [`Dimension`] is written.
#[derive(Deserialize)]
struct StoredAxis {
    name: String,
    values: Vec<String>,
}

impl<'de> Deserialize<'de> for Dimension {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let StoredAxis { name, values } = StoredAxis::deserialize(deserializer)?;
        let knob = Knob::parse(&name).map_err(de::Error::custom)?;
        Self::new(knob, values.iter().map(String::as_str)).map_err(de::Error::custom)
    }
}

impl Serialize for Dimension {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.axis().serialize(serializer)
    }
}

/// Parses every `--sweep`.
///
/// # Errors
/// One is malformed, or two have the same axis.
pub(crate) fn parse_all<S: AsRef<str>>(
    texts: impl IntoIterator<Item = S>,
) -> Result<Vec<Dimension>, AxisError> {
    let mut dimensions: Vec<Dimension> = Vec::new();
    for text in texts {
        let dimension: Dimension = text.as_ref().parse()?;
        if dimensions.iter().any(|other| other.knob == dimension.knob) {
            return Err(AxisError(format!(
                "the axis {} is given twice: give all its values at once, as in {}=a,b,c",
                dimension.knob, dimension.knob
            )));
        }
        dimensions.push(dimension);
    }
    Ok(dimensions)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> Vec<String> {
        text.parse::<Dimension>().unwrap().axis().values
    }

    fn refused(texts: &[&str]) -> String {
        parse_all(texts).unwrap_err().to_string()
    }

    #[test]
    fn sizes_numbers_and_text() {
        assert_eq!(values("payload=64,1KiB, 16KiB"), ["64", "1024", "16384"]);
        assert_eq!(values("connections=1,50"), ["1", "50"]);
        assert_eq!(values("client.mss=0,1448"), ["0", "1448"]);
        // Values of server parameters are kept as text, except that units become bytes.
        assert_eq!(values("server.recv_buffer=64,1KiB"), ["64", "1024"]);
        assert_eq!(values("server.cache=4k,8k"), ["4k", "8k"]);
        let models: Dimension = "server.model=threads,prefork".parse().unwrap();
        assert!(!models.is_bytes && !models.is_numeric());
        let workers: Dimension = "server.workers=1,2".parse().unwrap();
        assert!(!workers.is_bytes && workers.is_numeric());
        let buffer: Dimension = "server.recv_buffer=64,1KiB".parse().unwrap();
        assert!(buffer.is_bytes && buffer.knob.is_read_size());
    }

    #[test]
    fn an_axis_is_read_as_it_was_written() {
        for text in [
            "payload=64,1KiB",
            "client.mss=0,1448",
            "server.recv_buffer=64,1KiB",
            "server.cache=4k,8k",
            "server.model=threads,prefork",
        ] {
            let written: Dimension = text.parse().unwrap();
            let stored = serde_json::to_value(&written).unwrap();
            assert_eq!(Dimension::deserialize(stored).unwrap(), written);
        }
        let other = serde_json::json!({ "name": "colour", "values": ["red"] });
        assert!(Dimension::deserialize(other).is_err());
    }

    #[test]
    fn what_is_wrong_is_said_with_the_near_name() {
        assert!(refused(&["paylod=64"]).contains("did you mean `payload`?"));
        let unknown = refused(&["colour=red"]);
        assert!(
            unknown.contains("known names") && unknown.contains("server.<parameter>"),
            "{unknown}"
        );
        assert!(refused(&["server.=1"]).contains("no axis `server.`"));
        assert!(refused(&["payload"]).contains("write name=a,b,c"));
        assert!(refused(&["payload=64,,1KiB"]).contains("an empty value"));
        assert!(refused(&["payload="]).contains("an empty value"));
        assert!(refused(&["payload=1KiB,1024"]).contains("the value 1024 twice"));
        assert!(refused(&["payload=4k"]).contains("KiB or MiB"));
        assert!(refused(&["payload=64", "payload=1KiB"]).contains("payload is given twice"));
        assert!(refused(&["connections=0"]).contains("1 to 100000"));
        assert!(refused(&["connections=1KiB"]).contains("not a whole number"));
        assert!(refused(&["client.mss=40000"]).contains("88 to 32767, or 0"));
    }

    #[test]
    fn values_are_put_into_force() {
        let (mut load, mut params) = (Workload::default(), BTreeMap::new());
        for text in [
            "payload=1KiB",
            "connections=7",
            "pipeline=3",
            "client.so_rcvbuf=64KiB",
            "client.so_sndbuf=0",
            "client.mss=1448",
            "server.model=threads",
        ] {
            let dimension: Dimension = text.parse().unwrap();
            dimension.apply(0, &mut load, &mut params);
        }
        assert_eq!(
            (load.payload_bytes, load.connections, load.pipeline),
            (1024, 7, 3)
        );
        assert_eq!(load.socket.so_rcvbuf, Some(65536));
        assert_eq!((load.socket.so_sndbuf, load.socket.mss), (None, Some(1448)));
        assert_eq!(params["model"], "threads");
    }
}
