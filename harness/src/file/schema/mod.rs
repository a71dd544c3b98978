//! The JSON Schema of the file, for editors that complete and check while one types.
//!
//! The parser walks the TOML itself, for its error messages; these types only have the shape. A
//! test holds the two together: same sections, same keys.
#![expect(dead_code, reason = "only the shape is used, by schemars")]

mod bytes;
mod frame;
mod talk;

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, schema_for};
use talk::TalkShape;

/// The JSON Schema of `tcprove.toml`.
pub fn schema() -> serde_json::Value {
    let schema: Schema = schema_for!(FileShape);
    schema.to_value()
}

/// How a server is started, what it promises, how one exchange goes, what is checked.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, title = "tcprove.toml")]
struct FileShape {
    /// How the server is started, stopped, and known to be ready.
    server: Option<ServerShape>,
    /// What the server promises. A check that needs an absent promise is skipped and says so.
    promise: Option<PromiseShape>,
    /// How one exchange goes.
    talk: TalkShape,
    /// Which checks have a say.
    check: Option<CheckShape>,
    /// Failures that are known.
    waive: Option<Vec<WaiveShape>>,
}

/// How the server is started, stopped, and known to be ready.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct ServerShape {
    /// What it is called in reports.
    name: Option<String>,
    /// Program and arguments; {port}, {tmp} and parameters are filled in.
    cmd: Vec<String>,
    /// Added to the environment; shown redacted.
    env: Option<BTreeMap<String, String>>,
    /// Where it is started, relative to this file's folder.
    cwd: Option<String>,
    /// The signal for a graceful stop.
    stop: Option<SignalShape>,
    /// "listen", or a regex for a line of its standard output.
    ready: Option<ReadyShape>,
    /// How long that may take, as in "10s".
    ready_timeout: Option<String>,
    /// {name} in the command, with its default.
    params: Option<BTreeMap<String, ParamShape>>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "UPPERCASE")]
enum SignalShape {
    Term,
    Int,
    Quit,
    Hup,
    Usr1,
    Usr2,
    Kill,
}

#[derive(JsonSchema)]
#[schemars(untagged)]
enum ReadyShape {
    Word(ReadyWord),
    Stdout(ReadyStdout),
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
enum ReadyWord {
    Listen,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct ReadyStdout {
    /// A line of standard output that matches says that the server is ready.
    stdout: String,
}

#[derive(JsonSchema)]
#[schemars(untagged)]
enum ParamShape {
    Text(String),
    Integer(i64),
    Float(f64),
    Flag(bool),
}

/// What the server promises.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct PromiseShape {
    /// Bytes of the longest request, frame included.
    #[schemars(range(min = 1, max = 67_108_864))]
    max_message: Option<u64>,
    /// Asked to stop, it first answers what it has begun to read.
    drains_on_stop: Option<bool>,
    /// It answers, in order, requests sent without waiting.
    pipelining: Option<bool>,
    /// What its text is encoded in.
    encoding: Option<EncodingShape>,
    /// Connections it serves at once.
    #[schemars(range(min = 1, max = 1_000_000))]
    max_connections: Option<u64>,
}

#[derive(JsonSchema)]
enum EncodingShape {
    #[schemars(rename = "utf-8")]
    Utf8,
}

/// Which checks have a say.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct CheckShape {
    /// Newer checks only warn until this is raised.
    battery: Option<u32>,
    /// Patterns of checks that may not skip or be inconclusive.
    require: Option<Vec<String>>,
}

/// A failure that is known.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct WaiveShape {
    /// A pattern of check ids.
    check: String,
    /// Why.
    reason: String,
    /// The last day it holds, as in "2027-03-01".
    until: Option<String>,
    /// The check may also pass.
    flaky: Option<bool>,
    /// Only this finding.
    finding: Option<String>,
}
