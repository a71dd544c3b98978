//! A step that gives some of the server's next system calls another result.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::process::injector::{CallKind, Injected, calls};

/// Maximum calls of one step that get another result.
const TIMES_MAX: u32 = 16;

/// Which calls get which result, instead of what the kernel would return.
///
/// It concerns the calls that the server begins after this step: on the current connection, or on its listening socket if
/// the call accepts connections. Another step of the kind, or the end of the case, ends it. Nothing happens on a server
/// that was started without a filter of system calls, or in memory.
#[derive(Clone, Debug, PartialEq, Eq, Hash, JsonSchema, Serialize)]
#[serde(into = "Written")]
#[schemars(with = "Written")]
pub struct InjectStep {
    call: &'static str,
    result: Injected,
    times: u32,
}

/// The same as a case file has it.
#[derive(JsonSchema, Serialize, Deserialize)]
#[schemars(rename = "InjectedCalls")]
struct Written {
    /// The name of a system call.
    call: String,
    /// The name of an error, or `short`.
    result: String,
    /// How many of the next calls get it; 1 if absent.
    #[serde(default = "once", skip_serializing_if = "is_once")]
    times: u32,
}

fn once() -> u32 {
    1
}

fn is_once(times: &u32) -> bool {
    *times == 1
}

impl InjectStep {
    /// The next call of this name has this result.
    pub(in crate::fuzz) fn once(call: &'static str, result: Injected) -> Self {
        Self {
            call,
            result,
            times: 1,
        }
    }

    /// The same for this many calls, at most `TIMES_MAX`.
    #[must_use]
    pub(in crate::fuzz) fn repeated(&self, times: u32) -> Self {
        Self {
            times: times.clamp(1, TIMES_MAX),
            ..self.clone()
        }
    }

    /// The number of calls.
    pub(in crate::fuzz) fn times(&self) -> u32 {
        self.times
    }

    /// Whether it concerns the listening socket, and so the next connection.
    pub(in crate::fuzz) fn is_of_accept(&self) -> bool {
        self.kind() == Some(CallKind::Accept)
    }

    /// The name of the calls.
    pub(in crate::fuzz) fn call(&self) -> &'static str {
        self.call
    }

    /// What they do.
    pub(in crate::fuzz) fn kind(&self) -> Option<CallKind> {
        calls::of_name(self.call).map(|call| call.kind)
    }

    /// What they return.
    pub(in crate::fuzz) fn result(&self) -> Injected {
        self.result
    }
}

impl std::fmt::Display for InjectStep {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.times {
            1 => write!(f, "the next {}", self.call)?,
            times => write!(f, "the next {times} calls of {}", self.call)?,
        }
        match self.result {
            Injected::Short => write!(f, ": a single byte is transferred"),
            result if self.times == 1 => write!(f, " returns {}", result.name()),
            result => write!(f, " return {}", result.name()),
        }
    }
}

impl From<InjectStep> for Written {
    fn from(step: InjectStep) -> Self {
        Self {
            call: step.call.to_owned(),
            result: step.result.name(),
            times: step.times,
        }
    }
}

impl<'de> Deserialize<'de> for InjectStep {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = Written::deserialize(deserializer)?;
        Self::try_from(written).map_err(serde::de::Error::custom)
    }
}

impl TryFrom<Written> for InjectStep {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let known = calls::of_name(&written.call).filter(|call| call.kind.is_answered());
        let call = known.ok_or_else(|| format!("no call `{}` is known", written.call))?;
        let result = match written.result.as_str() {
            "short" => Injected::Short,
            name => match calls::error_number(name) {
                Some(number) => Injected::Error(number),
                None => return Err(format!("no result `{name}` is known")),
            },
        };
        if !(1..=TIMES_MAX).contains(&written.times) {
            return Err(format!("`times` is 1 to {TIMES_MAX}"));
        }
        Ok(Self::once(call.name, result).repeated(written.times))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_read_and_written() {
        let text = r#"{"call":"accept4","result":"EPROTO","times":3}"#;
        let step: InjectStep = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&step).unwrap(), text);
        assert_eq!(
            step.to_string(),
            "the next 3 calls of accept4 return EPROTO"
        );
        let once = r#"{"call":"read","result":"short"}"#;
        let step: InjectStep = serde_json::from_str(once).unwrap();
        assert_eq!(serde_json::to_string(&step).unwrap(), once);
        for (wrong, why) in [
            (r#"{"call":"acept","result":"EPERM"}"#, "acept"),
            (r#"{"call":"sendmmsg","result":"EPERM"}"#, "sendmmsg"),
            (r#"{"call":"read","result":"EPURM"}"#, "EPURM"),
            (r#"{"call":"read","result":"EPERM","times":0}"#, "1 to 16"),
        ] {
            let error = serde_json::from_str::<InjectStep>(wrong).unwrap_err();
            assert!(error.to_string().contains(why), "{error}");
        }
    }
}
