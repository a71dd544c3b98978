//! Every report that is written validates, and one that is changed in any way does not.

use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::{Value, json};

use super::schema;
use crate::fuzz::FindingKind;
use crate::report::sample::{
    campaign, checked, failed_to_start, finding, gated, gated_with_behaviour, history, loaded,
    replay, report, swept,
};
use crate::report::sample_check::{calls, checked_in_full, whole};
use crate::report::{Body, GateReport, Report};

/// Validates reports whose plan can be anything: reports that are made up have none.
struct Validator {
    schemas: Schemas,
    index: SchemaIndex,
}

impl Validator {
    fn new() -> Self {
        let mut compiler = Compiler::new();
        compiler
            .add_resource("https://tcprove.example/report.json", schema::<Value>())
            .unwrap();
        let mut schemas = Schemas::new();
        let index = compiler
            .compile("https://tcprove.example/report.json", &mut schemas)
            .unwrap();
        Self { schemas, index }
    }

    /// What is wrong with a report.
    fn wrong(&self, report: &Value) -> Option<String> {
        let result = self.schemas.validate(report, self.index);
        result.err().map(|error| format!("{error:#}"))
    }
}

/// A report of each kind.
fn reports() -> Vec<Report> {
    let Body::Check(battery) = checked_in_full().body else {
        panic!("a battery")
    };
    let gate = |gate: GateReport| report("gate", Ok(Body::Gate(Box::new(gate))));
    vec![
        checked(),
        checked_in_full(),
        calls(),
        report("run", Ok(Body::Run(Box::new(whole(battery))))),
        loaded(true),
        loaded(false),
        swept(),
        campaign(vec![finding(FindingKind::Crash, 5, None)]),
        replay(),
        gate(gated(4.0, 1e-3, 2.0)),
        gate(gated_with_behaviour()),
        history(),
        failed_to_start(),
    ]
}

fn values() -> Vec<Value> {
    let all = reports();
    all.iter()
        .map(|report| serde_json::to_value(report).unwrap())
        .collect()
}

#[test]
fn every_report_validates() {
    let validator = Validator::new();
    for value in values() {
        let wrong = validator.wrong(&value);
        assert_eq!(wrong, None, "{}", value["command"]);
    }
}

/// The places of all objects in a value whose fields are described.
fn objects(value: &Value, place: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            found.push(place.to_owned());
            for (name, field) in fields {
                // What was measured in a check differs with the check.
                if name != "evidence" {
                    let name = name.replace('~', "~0").replace('/', "~1");
                    objects(field, &format!("{place}/{name}"), found);
                }
            }
        }
        Value::Array(items) => {
            for (number, item) in items.iter().enumerate() {
                objects(item, &format!("{place}/{number}"), found);
            }
        }
        _ => {}
    }
}

#[test]
fn a_field_that_is_not_described_is_refused_everywhere() {
    let validator = Validator::new();
    let mut tried = 0;
    for value in values() {
        let mut places = Vec::new();
        objects(&value, "", &mut places);
        for place in places {
            let mut changed = value.clone();
            changed.pointer_mut(&place).unwrap()["undescribed"] = json!([[7]]);
            assert!(
                validator.wrong(&changed).is_some(),
                "another field in {place:?} of {} passes",
                value["command"]
            );
            tried += 1;
        }
    }
    assert!(tried > 200, "{tried} objects");
}

#[test]
fn a_missing_field_and_one_of_another_type_are_refused() {
    let validator = Validator::new();
    for value in values() {
        for field in [
            "schema",
            "command",
            "run_id",
            "seed",
            "environment",
            "verdict",
            "duration_s",
        ] {
            let mut missing = value.clone();
            missing.as_object_mut().unwrap().remove(field);
            assert!(validator.wrong(&missing).is_some(), "without {field}");
            let mut other = value.clone();
            other[field] = json!([true]);
            assert!(validator.wrong(&other).is_some(), "another type of {field}");
        }
        // What is the result of a command has a field that is always there.
        let result = [
            "outcomes", "sweep", "metrics", "cells", "findings", "items", "gates",
        ];
        for field in result.iter().filter(|field| value.get(**field).is_some()) {
            let mut missing = value.clone();
            missing.as_object_mut().unwrap().remove(*field);
            assert!(
                validator.wrong(&missing).is_some(),
                "without {field}: {value:#}"
            );
        }
    }
    let mut other = values().swap_remove(0);
    other["schema"] = json!("tcprove/2");
    assert!(validator.wrong(&other).is_some());
    other["schema"] = json!("tcprove/1");
    assert_eq!(validator.wrong(&other), None);
    other["outcomes"][0]["attempts"] = json!("1");
    assert!(validator.wrong(&other).is_some());
}

#[test]
fn units_are_those_of_the_names() {
    let schema = schema::<Value>();
    assert_eq!(schema["properties"]["duration_s"]["x-unit"], "s");
    assert_eq!(
        schema["$defs"]["Outcome"]["properties"]["duration_ms"]["x-unit"],
        "ms"
    );
    assert_eq!(
        schema["$defs"]["WindowSummary"]["properties"]["p99_us"]["x-unit"],
        "µs"
    );
    assert_eq!(
        schema["$defs"]["WindowSummary"]["properties"]["ops_per_s"]["x-unit"],
        "1/s"
    );
    assert_eq!(schema["properties"]["seed"].get("x-unit"), None);
}
