//! `tcprove generate schema --report`: every field of every report is described. That reports validate is tested wherever a
//! test reads one (`Bench::json`); here are those that no other test writes, and what must not validate.

use serde_json::{Value, json};

use crate::support::Bench;
use crate::support::schema::{REPORT_SCHEMA, wrong};

/// Collects the fields without a description, and counts all. The only field of an alternative is described by it.
fn undescribed(schema: &Value, place: &str, found: &mut Vec<String>) -> usize {
    let mut count = 0;
    let is_described = |schema: &Value| {
        let about = schema.get("description").and_then(Value::as_str);
        about.is_some_and(|about| !about.trim().is_empty())
    };
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        for (name, property) in properties {
            count += 1;
            let by_the_whole = properties.len() == 1 && is_described(schema);
            // An alternative only narrows what the object around it describes.
            let narrows = property.get("enum").is_some() && name == "verdict";
            if !is_described(property) && !by_the_whole && !narrows {
                found.push(format!("{place}/{name}"));
            }
        }
    }
    match schema {
        Value::Object(parts) => {
            for (name, part) in parts {
                count += undescribed(part, &format!("{place}/{name}"), found);
            }
        }
        Value::Array(parts) => {
            for part in parts {
                count += undescribed(part, place, found);
            }
        }
        _ => {}
    }
    count
}

#[test]
fn every_field_has_a_description() {
    let mut found = Vec::new();
    let count = undescribed(&REPORT_SCHEMA, "", &mut found);
    assert!(count > 400, "{count} fields");
    found.sort();
    found.dedup();
    assert!(
        found.is_empty(),
        "without a description:\n{}",
        found.join("\n")
    );
    assert_eq!(
        REPORT_SCHEMA["$schema"],
        "https://json-schema.org/draft/2020-12/schema"
    );
}

#[test]
fn a_change_of_a_real_report_does_not_validate() {
    let bench = Bench::new();
    let only = [
        "check",
        "--embedded",
        "--only",
        "split-bytewise",
        "--json",
        "r.json",
    ];
    let ended = bench.run(only);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let report = bench.json("r.json");
    let changes: [fn(&mut Value); 6] = [
        |report| report["another"] = json!(1),
        |report| report["plan"]["another"] = json!(1),
        |report| report["outcomes"][0]["another"] = json!(1),
        |report| report["plan"]["lanes"] = json!("2"),
        |report| report["outcomes"][0]["duration_ms"] = json!(-1),
        |report| drop(report.as_object_mut().unwrap().remove("outcomes")),
    ];
    for (number, change) in changes.iter().enumerate() {
        let mut changed = report.clone();
        change(&mut changed);
        assert!(wrong(&changed).is_some(), "change {number} validates");
    }
}

#[test]
fn runs_that_could_not_begin_validate() {
    let bench = Bench::new();
    for command in ["check", "load", "bench", "fuzz", "gate", "run"] {
        let ended = bench.run([command, "--json", "r.json", "-f", "missing.toml"]);
        assert_ne!(ended.code, Some(0), "{command}");
        if bench.path("r.json").exists() {
            let report = bench.json("r.json");
            assert_eq!(report["verdict"], "error", "{command}");
            std::fs::remove_file(bench.path("r.json")).unwrap();
        }
    }
}
