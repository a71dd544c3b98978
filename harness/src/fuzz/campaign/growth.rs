//! Long requests at the beginning of a campaign: work that grows much faster than a request shows itself only at sizes
//! that mutations rarely reach.

use std::time::{Duration, Instant};

use super::state::CampaignState;
use super::suspect::Suspect;
use crate::fuzz::epoch::Epoch;
use crate::fuzz::material::{Material, Pump};
use crate::fuzz::mutator::pumped;
use crate::fuzz::oracle::complexity;
use crate::fuzz::symptom::FindingKind;
use crate::fuzz::{Case, SendStep, Step};

/// Length of the requests, which grow from there.
const BYTES: usize = 16 << 10;
/// What the payload consists of: plain text, separators, what opens a nested structure, and text behind a line end, which may
/// begin a delimiter.
const CONTENTS: [(&[u8], &[u8]); 8] = [
    (b"", b"a"),
    (b"\r", b"a"),
    (b"", b" "),
    (b"", b"["),
    (b"\n", b"a"),
    (b"", b"a,"),
    (b"", b"a=1&"),
    (b"", b"\\\""),
];

/// The probe takes one in this many parts of a campaign.
const SHARE: u32 = 10;
/// How long it takes in a campaign without a duration.
const UNTIMED: Duration = Duration::from_secs(2);

/// Lets the payload of every turn grow, and the last field of a body without one, until `stop` returns true. Returns the first
/// one whose cost grows too fast at each turn.
pub(super) fn probe(
    state: &CampaignState<'_>,
    epoch: &mut Epoch<'_>,
    material: &Material,
    stop: &dyn Fn() -> bool,
) -> Vec<Suspect> {
    let mut found = Vec::new();
    let bodies = material.bodies();
    for (before, unit) in CONTENTS {
        // A payload consists of nothing but repetitions.
        let turns = material.payload_turns.iter().filter(|_| before.is_empty());
        let payloads = turns.filter_map(|turn| {
            let data = material.of_length(*turn, BYTES, unit)?;
            Some((material.lead_in(*turn), data))
        });
        let pump = Pump {
            before: before.to_vec(),
            unit: unit.to_vec(),
            after: Vec::new(),
        };
        let fields = bodies.iter().map(|body| {
            let (frame, at) = (material.request_frame(), std::slice::from_ref(&body.at));
            let count = BYTES / unit.len();
            let data = pumped(frame, &body.message, at, &pump, count, true);
            (body.before.clone(), data)
        });
        for (mut steps, data) in payloads.chain(fields) {
            if stop() || epoch.has_ended() {
                return found;
            }
            steps.push(Step::Send(SendStep::whole(data)));
            found.extend(grows(state, epoch, &Case::new(steps)));
            // A server that computes without an end can show nothing else.
            if found
                .last()
                .is_some_and(|one| one.kind() == FindingKind::Hang)
            {
                return found;
            }
        }
    }
    found
}

fn grows(state: &CampaignState<'_>, epoch: &mut Epoch<'_>, case: &Case) -> Option<Suspect> {
    if !state.may_test_cost(case, Duration::ZERO) {
        return None;
    }
    let shown = complexity::grows(epoch, case);
    let suspect = shown.map(|(symptom, grown)| Suspect {
        first_seen: state.clock.begun.elapsed(),
        ..Suspect::alone(symptom, grown)
    });
    state.tested_cost(case, Duration::ZERO, suspect)
}

/// Whether the probe has taken its share of the campaign.
pub(super) fn is_enough(state: &CampaignState<'_>, begun: Instant) -> bool {
    let duration = state.campaign.plan.duration;
    let most = duration.map_or(UNTIMED, |duration| duration / SHARE);
    state.is_over() || begun.elapsed() >= most
}
