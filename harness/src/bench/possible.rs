//! Checks that a sweep is possible on this server and with this conversation, before anything is started.

use super::axis::Dimension;
use super::grid::Grid;
use super::knob::Knob;
use super::plan::{CELLS_MAX, SweepPlan};
use crate::subject::Subject;
use crate::text::did_you_mean;

/// Rejects a sweep that cannot be run, with the reason.
pub(super) fn refuse(subject: &Subject, plan: &SweepPlan) -> Result<(), String> {
    if plan.axes.is_empty() || plan.rounds == 0 {
        return Err("nothing to sweep: give an axis, as in --sweep payload=64,1KiB".to_owned());
    }
    let cells = Grid::new(&plan.axes).cells();
    if cells > CELLS_MAX {
        return Err(format!(
            "{cells} combinations are too many: the maximum is {CELLS_MAX}"
        ));
    }
    for param in plan.axes.iter().filter_map(|axis| axis.knob.server_param()) {
        known_parameter(subject, param)?;
    }
    conversation_allows(subject, plan)
}

fn conversation_allows(subject: &Subject, plan: &SweepPlan) -> Result<(), String> {
    let talk = &subject.talk;
    let asked = |knob: Knob| plan.axes.iter().find(|axis| axis.knob == knob);
    let mut turns = plan
        .base
        .turns
        .iter()
        .filter_map(|turn| talk.turns.get(*turn));
    if asked(Knob::Payload).is_some() && !turns.any(crate::talk::Exchange::uses_payload) {
        return Err(
            "payload cannot be varied: none of the selected turns sends {payload}".to_owned(),
        );
    }
    let is_deep = |axis: &Dimension| axis.values.iter().any(|value| value.number > Some(1));
    let one_at_a_time = subject.promise.pipelining == Some(false) || !talk.carries_many_turns();
    if one_at_a_time && asked(Knob::Pipeline).is_some_and(is_deep) {
        return Err(
            "pipeline cannot be varied: the conversation allows one request at a time".to_owned(),
        );
    }
    Ok(())
}

fn known_parameter(subject: &Subject, param: &str) -> Result<(), String> {
    let Some(launch) = subject.launch() else {
        return Err(format!(
            "server.{param} cannot be varied on a server that is already running: give the command that starts it instead of its address"
        ));
    };
    let placeholder = format!("{{{param}}}");
    let mut words = launch.cmd.iter().chain(launch.env.values());
    if words.any(|word| word.contains(&placeholder)) {
        return Ok(());
    }
    let known = launch.params.keys().map(String::as_str);
    let help = did_you_mean(param, known).unwrap_or_else(|| "it has no parameters".to_owned());
    Err(format!(
        "the server's command has no parameter {placeholder}: {help}"
    ))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::bench::axis::parse_all;
    use crate::load::Workload;
    use crate::process::Launch;
    use crate::subject::Origin;

    fn refused(origin: Origin, talk: &str, axes: &[&str]) -> Option<String> {
        let file = crate::file::builtin(talk).unwrap();
        let subject = Subject {
            origin,
            talk: Arc::new(file.talk),
            promise: file.promise,
            seed: 1,
        };
        let plan = SweepPlan::new(parse_all(axes).unwrap(), Workload::default(), 1);
        refuse(&subject, &plan).err()
    }

    fn attached() -> Origin {
        Origin::Attach {
            endpoint: crate::transport::Endpoint::plain(std::net::SocketAddr::from((
                [127, 0, 0, 1],
                1,
            ))),
            pid: None,
        }
    }

    #[test]
    fn parameters_need_a_command_that_has_them() {
        let running = refused(attached(), "line", &["server.workers=1,2"]).unwrap();
        assert!(running.contains("already running"), "{running}");
        let mut launch = Launch::new("x", ["y", "--n={workers}"]);
        launch.params.insert("workers".into(), "1".into());
        let spawned =
            |axes: &[&str]| refused(Origin::Spawn(Box::new(launch.clone())), "line", axes);
        assert_eq!(spawned(&["server.workers=1,2"]), None);
        let near = spawned(&["server.worker=1,2"]).unwrap();
        assert!(near.contains("{worker}: did you mean `workers`?"), "{near}");
    }

    #[test]
    fn the_conversation_has_to_have_what_is_varied() {
        let line = |axes: &[&str]| refused(attached(), "line", axes);
        // The first turn of the line protocol has no payload.
        assert!(line(&["payload=64"]).unwrap().contains("{payload}"));
        assert_eq!(line(&["pipeline=1,8"]), None);
        assert!(line(&[]).unwrap().contains("nothing to sweep"));
        let one = refused(attached(), "tutorial", &["pipeline=1,8"]);
        assert!(one.unwrap().contains("one request at a time"));
        let axes: Vec<String> = ["payload", "connections", "pipeline"]
            .map(|name| {
                let values: Vec<String> = (1..=20).map(|value| value.to_string()).collect();
                format!("{name}={}", values.join(","))
            })
            .to_vec();
        let axes: Vec<&str> = axes.iter().map(String::as_str).collect();
        assert!(line(&axes).unwrap().contains("8000 combinations"));
    }
}
