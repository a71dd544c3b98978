//! Long requests at the beginning of a campaign: work that grows much faster than a request shows itself only at sizes
//! that mutations rarely reach.

use std::time::{Duration, Instant};

use super::state::CampaignState;
use super::suspect::Suspect;
use crate::fuzz::epoch::Epoch;
use crate::fuzz::material::Material;
use crate::fuzz::oracle::complexity;
use crate::fuzz::symptom::FindingKind;
use crate::fuzz::{Case, SendStep, Step};

/// Length of the requests, which grow from there.
const BYTES: usize = 16 << 10;
/// What the payload consists of: plain text, separators, and what opens a nested structure.
const UNITS: [&[u8]; 6] = [b"a", b" ", b"[", b"a,", b"a=1&", b"\\\""];

/// The probe takes one in this many parts of a campaign.
const SHARE: u32 = 10;
/// How long it takes in a campaign without a duration.
const UNTIMED: Duration = Duration::from_secs(2);

/// Lets the payload of every turn grow, until `stop` returns true. Returns the first one whose cost grows too fast at each
/// turn.
pub(super) fn probe(
    state: &CampaignState<'_>,
    epoch: &mut Epoch<'_>,
    material: &Material,
    stop: &dyn Fn() -> bool,
) -> Vec<Suspect> {
    let mut found = Vec::new();
    for unit in UNITS {
        for turn in &material.payload_turns {
            if stop() || epoch.has_ended() {
                return found;
            }
            let Some(data) = material.of_length(*turn, BYTES, unit) else {
                continue;
            };
            let mut steps = material.lead_in(*turn);
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
