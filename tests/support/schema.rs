//! The schema of reports, as the binary prints it. Every report that a test reads is validated with it.

use std::process::Command;
use std::sync::LazyLock;

use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::Value;

use super::program;

/// Where the schema is, for references inside of it.
const PLACE: &str = "https://tcprove.example/report.json";

/// What `tcprove generate schema --report` prints.
pub static REPORT_SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    let mut command = Command::new(program());
    let output = command
        .args(["generate", "schema", "--report"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
});

static COMPILED: LazyLock<(Schemas, SchemaIndex)> = LazyLock::new(|| {
    let mut compiler = Compiler::new();
    compiler.add_resource(PLACE, REPORT_SCHEMA.clone()).unwrap();
    let mut schemas = Schemas::new();
    let index = compiler.compile(PLACE, &mut schemas).unwrap();
    (schemas, index)
});

/// What is wrong with a report.
pub fn wrong(report: &Value) -> Option<String> {
    let (schemas, index) = &*COMPILED;
    let result = schemas.validate(report, *index);
    result.err().map(|error| format!("{error:#}"))
}
