//! A sweep as comma-separated values: one row per cell (RFC 4180). Pure.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::figures::METRICS;
use super::result::{SweepCell, SweepResult};
use crate::load::joined;

/// The whole table, with a header line.
pub(crate) fn render(sweep: &SweepResult) -> String {
    let mut out = String::new();
    row(&mut out, names(sweep));
    for cell in &sweep.cells {
        row(&mut out, fields(sweep, cell));
    }
    out
}

fn names(sweep: &SweepResult) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for axis in &sweep.axes {
        names.extend([axis.name.clone(), format!("{}_effective", axis.name)]);
    }
    for metric in METRICS {
        let name = metric.name;
        names.extend([name.into(), format!("{name}_low"), format!("{name}_high")]);
    }
    names.extend(["valid", "same_as", "reasons", "notes", "why"].map(str::to_owned));
    names
}

fn fields(sweep: &SweepResult, cell: &SweepCell) -> Vec<String> {
    let mut fields: Vec<String> = Vec::new();
    for axis in &sweep.axes {
        let setting = cell.axes.iter().find(|(name, _)| *name == axis.name);
        let setting = setting.map(|(_, setting)| setting);
        fields.push(setting.map_or_else(String::new, |setting| setting.requested.clone()));
        let effective = setting.and_then(|setting| setting.effective.clone());
        fields.push(effective.unwrap_or_default());
    }
    for metric in METRICS {
        match cell.metrics.get(metric.name) {
            Some(of) => {
                fields.extend([of.estimate, of.low, of.high].map(|figure| figure.to_string()))
            }
            None => fields.extend([const { String::new() }; 3]),
        }
    }
    fields.extend([
        cell.valid.to_string(),
        cell.same_as
            .map_or_else(String::new, |other| other.to_string()),
        joined(&cell.reasons),
        joined(&cell.notes),
        cell.why.clone().unwrap_or_default(),
    ]);
    fields
}

fn row(out: &mut String, fields: Vec<String>) {
    let quoted: Vec<Cow<'_, str>> = fields.iter().map(|field| quoted(field)).collect();
    // Writing to a string cannot fail.
    let _ = write!(out, "{}\r\n", quoted.join(","));
}

fn quoted(field: &str) -> Cow<'_, str> {
    if field.contains([',', '"', '\r', '\n']) {
        Cow::Owned(format!("\"{}\"", field.replace('"', "\"\"")))
    } else {
        Cow::Borrowed(field)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::bench::result::{Estimate, Recommendation, Setting, SweepAxis};
    use crate::data::{Direction, Unit};
    use crate::load::Remark;

    #[test]
    fn a_row_a_cell_and_nothing_breaks_out_of_its_field() {
        let setting = Setting {
            requested: "64".into(),
            effective: Some("2304".into()),
        };
        let figure = Estimate {
            estimate: 1.5,
            low: 1.0,
            high: 2.0,
            unit: Unit::PerSecond,
            direction: Direction::HigherIsBetter,
        };
        let cell = SweepCell {
            axes: vec![("client.so_rcvbuf".into(), setting)],
            metrics: BTreeMap::from([("ops_per_s", figure)]),
            valid: false,
            reasons: vec![
                Remark {
                    word: "wrong-replies".into(),
                    sentence: "got \"a,b\"".into(),
                },
                Remark {
                    word: "not-started".into(),
                    sentence: "two\nlines".into(),
                },
            ],
            notes: Vec::new(),
            same_as: Some(0),
            why: None,
            curve: Vec::new(),
        };
        let sweep = SweepResult {
            axes: vec![SweepAxis {
                name: "client.so_rcvbuf".into(),
                values: vec!["64".into()],
                is_bytes: true,
            }],
            rounds: 6,
            cells: vec![cell],
            recommendation: Recommendation::default(),
        };
        let table = render(&sweep);
        let (names, rest) = table.split_once("\r\n").unwrap();
        assert!(
            names
                .starts_with("client.so_rcvbuf,client.so_rcvbuf_effective,ops_per_s,ops_per_s_low")
        );
        assert!(rest.starts_with("64,2304,1.5,1,2,,,,"), "{rest}");
        let end = "false,0,\"wrong-replies: got \"\"a,b\"\"; not-started: two\nlines\",,\r\n";
        assert!(rest.ends_with(end), "{rest}");
        let empty = rest[..rest.find("false").unwrap()].matches(',').count();
        assert_eq!(empty, 2 + 3 * METRICS.len());
    }
}
